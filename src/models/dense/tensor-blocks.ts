// Which networks can be cut, and where: a wide layer is cut by its units (column parallel), and the layer above it sums up what
// the tensor shards give. A classifier with one hidden layer is one such block; a deep autoencoder is two, with a narrow middle that is not cut.

import type { Model } from '../model.js';
import type { DenseModel } from './model.js';
import { type Layer, layoutOf, type Place } from './model.js';

export interface ParallelBlock {
  /** Number of the wide layer. */
  readonly index: number;
  readonly hidden: Layer;
  readonly output: Layer;
  /** Of their parameters. */
  readonly below: Place;
  readonly above: Place;
}

/** A classifier with one hidden layer, or an autoencoder with one, or with a wide one at each end. */
export function isTensorParallel(model: Model): model is DenseModel {
  if (model.kind !== 'dense') return false;
  const { layers, objective } = model;
  if (objective !== 'reconstruction') return layers.length === 2;
  return layers.length === 2 || layers.length >= 4;
}

/** In the order of the forward pass. */
export function parallelBlocksOf(model: DenseModel): readonly ParallelBlock[] {
  const { layers } = model;
  const { places } = layoutOf(model);
  const first = layers.length === 2 ? [0] : [0, layers.length - 2];
  return first.map((index) => ({
    index,
    hidden: layers[index]!,
    output: layers[index + 1]!,
    below: places[index]!,
    above: places[index + 1]!,
  }));
}

/** Between tensor shards and coordinator: sums go up, and values that come of them go down. After the last the tensor shards update. */
export interface Exchange {
  /** Sums of the block's outputs, [units, rows], or of the gradient at its inputs, [inputs, rows]. */
  readonly pass: 'forward' | 'backward';
  readonly block: number;
  /** What goes down: what another block reads, [inputs, rows], or the gradient at a block's outputs, [units, rows]. */
  readonly down: { readonly of: 'inputs' | 'gradient'; readonly block: number };
}

const OF_ONE: readonly Exchange[] = [{ pass: 'forward', block: 0, down: { of: 'gradient', block: 0 } }];
const OF_TWO: readonly Exchange[] = [
  { pass: 'forward', block: 0, down: { of: 'inputs', block: 1 } },
  { pass: 'forward', block: 1, down: { of: 'gradient', block: 1 } },
  { pass: 'backward', block: 1, down: { of: 'gradient', block: 0 } },
];

/** Those of a step, in order. */
export const exchangesOf = ({ layers }: DenseModel): readonly Exchange[] => (layers.length === 2 ? OF_ONE : OF_TWO);

/** How many floats a row what goes up and what goes down in an exchange have. */
export function widthsOf(
  model: DenseModel,
  { pass, block, down }: Exchange,
): { readonly up: number; readonly down: number } {
  const blocks = parallelBlocksOf(model);
  const of = (end: 'inputs' | 'outputs', p: number) =>
    end === 'inputs' ? blocks[p]!.hidden.inputs : blocks[p]!.output.units;
  return {
    up: of(pass === 'forward' ? 'outputs' : 'inputs', block),
    down: of(down.of === 'inputs' ? 'inputs' : 'outputs', down.block),
  };
}
