// Owns the geometry of hidden-unit sharding: which hidden units are whose, and where a step's matrices lie in the arena.
import { shardRange } from '../data/shards.js';
import type { SlicedStep } from '../protocol/slices.js';
import { type Arena, JOURNAL_STRIDE } from './arena.js';
import { paddedRows, RANDOM_CHUNK } from './buffers.js';
import { BLOCK_UNITS } from './dense.js';
import { aligned, type Model } from './model.js';

/** Slices begin at a multiple of it, so that their part of any matrix [units, ...] is aligned to 64 bytes. */
const UNIT_GROUP = 16;

/** Whether hidden-unit sharding covers a model: a classifier with one hidden layer. */
export const isSliceable = ({ layers, objective }: Model): boolean =>
  layers.length === 2 && objective !== 'reconstruction';

/** A small layer has fewer slices than a run has shards. */
export const sliceCount = (model: Model, shards: number): number =>
  Math.min(shards, Math.ceil(model.layers[0]!.units / UNIT_GROUP));

/** The hidden units [first, end) of a slice. */
export function unitsOf(model: Model, slices: number, slice: number): readonly [first: number, end: number] {
  const { units } = model.layers[0]!;
  const [first, end] = shardRange(Math.ceil(units / UNIT_GROUP), slices, slice);
  return [first * UNIT_GROUP, Math.min(end * UNIT_GROUP, units)];
}

/** Rows of a step, all of them and the unlabelled ones, padded for the kernel; clean: 0 where no labels are wanted. */
export interface RowCounts {
  readonly rows: number;
  readonly clean: number;
}

export const rowCountsOf = (
  labelledBatch: number,
  { unlabelledBatch, labelsFresh }: Pick<SlicedStep, 'unlabelledBatch' | 'labelsFresh'>,
): RowCounts => ({
  rows: paddedRows(labelledBatch + unlabelledBatch),
  clean: labelsFresh ? paddedRows(unlabelledBatch) : 0,
});

/** Addresses in bytes of what a group of slices shares: it is computed by one thread at a time. */
export interface GroupBuffers {
  /** Inputs [rows, pixels], with room behind to read on to a multiple of 8 rows, and transposed. */
  readonly x: number;
  readonly xt: number;
  readonly cleanXt: number;
  readonly indices: number;
  readonly random: number;
  /** A block's activations without dropout, or gradients: [units, rows]; the gradient of its weights; a product that is to be added. */
  readonly block: number;
  readonly weights: number;
  readonly bias: number;
  readonly product: number;
}

/** What a slice keeps from its forward to its backward pass, whichever threads do them. */
export interface SliceBuffers {
  /** Activations [units, rows]; its part of the output kernel [units, classes], as it was in the forward pass. */
  readonly hidden: number;
  readonly kernel: number;
  readonly logits: number;
  readonly clean: number;
  readonly journal: number;
}

export interface SlicePlaces {
  readonly groups: readonly GroupBuffers[];
  readonly slices: readonly SliceBuffers[];
  /** Bytes of the labelled images, and the gradient at the logits [classes, rows]: the coordinator's part of a step. */
  readonly labelledImages: number;
  readonly gradient: number;
  readonly end: number;
}

/** start: a multiple of 64. */
export function slicePlaces(
  model: Model,
  { rows, clean }: RowCounts,
  slices: number,
  groups: number,
  start = 0,
): SlicePlaces {
  let end = start;
  const take = (floats: number): number => {
    const address = end;
    end += aligned(floats) * 4;
    return address;
  };
  const each = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  const pixels = model.layers[0]!.inputs;
  const classes = model.layers[1]!.units;
  // First, and so at the same place for all shapes of a step: what else is written there would look like an update half done.
  const journals = each(slices, () => take(JOURNAL_STRIDE / 4));
  const largest = unitsOf(model, slices, slices - 1);
  const room = {
    groups: each(groups, () => ({
      x: take((rows + 8) * pixels),
      xt: take(rows * pixels),
      cleanXt: take(clean * pixels),
      indices: take(rows),
      random: take(16 + Math.max(rows, RANDOM_CHUNK) / 2),
      block: take(BLOCK_UNITS * Math.max(rows, clean)),
      weights: take(Math.max(BLOCK_UNITS * pixels, classes * (largest[1] - largest[0] + UNIT_GROUP))),
      bias: take(Math.max(BLOCK_UNITS, classes)),
      product: take(classes * Math.max(rows, clean)),
    })),
    slices: each(slices, (slice) => {
      const [first, last] = unitsOf(model, slices, slice);
      return {
        hidden: take((last - first) * rows),
        kernel: take((last - first) * classes),
        logits: take(classes * rows),
        clean: take(classes * clean),
        journal: journals[slice]!,
      };
    }),
    labelledImages: take((rows * pixels) / 4),
    gradient: take(classes * rows),
  };
  return { ...room, end };
}

/** Those of a step in an arena. */
export const placesIn = (arena: Arena, model: Model, rows: RowCounts, slices: number, groups: number): SlicePlaces =>
  slicePlaces(model, rows, slices, groups, arena.regions.slices);
