// Says which networks can be tensor parallel, and where they are split. A wide layer is split by its units (column
// parallel), and the layer above sums what the tensor shards add. A classifier with one hidden layer is one such block.
// A deep autoencoder has two, with narrow layers between them that are not split.

import type { Model } from '../model.js';
import type { DenseModel } from './model.js';
import { type Layer, layoutOf, type ParameterOffsets } from './model.js';

export interface ParallelBlock {
  /** The number of the wide layer. */
  readonly index: number;
  readonly hidden: Layer;
  readonly output: Layer;
  /** The places of the parameters of the wide layer (below) and of the layer above it. */
  readonly below: ParameterOffsets;
  readonly above: ParameterOffsets;
}

/**
 * Returns whether a network can be tensor parallel: a classifier with one hidden layer, or an autoencoder with one, or
 * with a wide layer at each end.
 */
export function isTensorParallel(model: Model): model is DenseModel {
  if (model.kind !== 'dense') return false;
  const { layers, objective } = model;
  if (objective !== 'reconstruction') return layers.length === 2;
  return layers.length === 2 || layers.length >= 4;
}

/** Returns the blocks in the order of the forward pass. */
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

/**
 * An exchange between tensor shards and coordinator. Sums go up to the coordinator, and values that it computes from
 * them come down. After the last exchange the tensor shards update.
 */
export interface Exchange {
  /**
   * The pass after which sums go up: sums of the block's outputs, [units, rows], or of the gradient at its inputs,
   * [inputs, rows].
   */
  readonly pass: 'forward' | 'backward';
  readonly block: number;
  /**
   * The values that come down: the inputs of another block, [inputs, rows], or the gradient at a block's outputs,
   * [units, rows].
   */
  readonly down: { readonly of: 'inputs' | 'gradient'; readonly block: number };
}

const OF_ONE: readonly Exchange[] = [{ pass: 'forward', block: 0, down: { of: 'gradient', block: 0 } }];
const OF_TWO: readonly Exchange[] = [
  { pass: 'forward', block: 0, down: { of: 'inputs', block: 1 } },
  { pass: 'forward', block: 1, down: { of: 'gradient', block: 1 } },
  { pass: 'backward', block: 1, down: { of: 'gradient', block: 0 } },
];

/** Returns the exchanges of a step, in order. */
export const exchangesOf = ({ layers }: DenseModel): readonly Exchange[] => (layers.length === 2 ? OF_ONE : OF_TWO);

/** Returns the floats per row that go up and that come down in an exchange. */
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
