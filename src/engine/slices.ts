// Owns the geometry of hidden-unit sharding: which hidden units are whose, and where a step's matrices lie in the arena.
import { shardRange } from '../data/shards.js';
import type { SlicedStep } from '../protocol/slices.js';
import { type Arena, JOURNAL_STRIDE } from './arena.js';
import { paddedRows, RANDOM_CHUNK } from './buffers.js';
import { blockUnits } from './dense.js';
import { BYTES, type Layer, type Model, precisionOf } from './model.js';
import { Space } from './space.js';

/** Slices begin at a multiple of so many units, so that their part of any matrix [units, ...] is aligned to 64 bytes. */
const unitGroup = (model: Model): number => 64 / BYTES[precisionOf(model)];

/** Words between two signals: a cache line. */
export const SIGNAL_STRIDE = 16;

/** Whether hidden-unit sharding covers a model: a classifier with one hidden layer. */
export const isSliceable = ({ layers, objective }: Model): boolean =>
  layers.length === 2 && objective !== 'reconstruction';

/** A small layer has fewer slices than a run has shards. */
export const sliceCount = (model: Model, shards: number): number =>
  Math.min(shards, Math.ceil(model.layers[0]!.units / unitGroup(model)));

/** The hidden units [first, end) of a slice. */
export function unitsOf(model: Model, slices: number, slice: number): readonly [first: number, end: number] {
  const { units } = model.layers[0]!;
  const group = unitGroup(model);
  const [first, end] = shardRange(Math.ceil(units / group), slices, slice);
  return [first * group, Math.min(end * group, units)];
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
  /** Inputs [rows, pixels], with room behind to read on to a multiple of 8 rows. */
  readonly x: number;
  /** As products read them, of all rows and of the clean ones: transposed [pixels, rows], or in bf16 [rows, pixels]. */
  readonly operand: number;
  readonly cleanOperand: number;
  readonly indices: number;
  readonly random: number;
  /** In the model's precision, as are a slice's `hidden` and `kernel`: a block's activations without dropout, or gradients: [units, rows]; the gradient of its weights; a product that is to be added. */
  readonly block: number;
  readonly weights: number;
  readonly bias: number;
  readonly product: number;
}

/** What a slice keeps from its forward to its backward pass, whichever threads do them. */
export interface SliceBuffers {
  /** Activations [units, rows]; its part of the output kernel [units, classes], as it was in the forward pass, with room for floats. */
  readonly hidden: number;
  readonly kernel: number;
  readonly logits: number;
  readonly clean: number;
  readonly journal: number;
  /** Two floats: activationBound and weightBound of PartialLogits. */
  readonly bounds: number;
}

export interface SlicePlaces {
  /** Numbers of steps, i32, SIGNAL_STRIDE apart: the one whose gradient is there, then for each group that of its last forward pass. */
  readonly signals: number;
  readonly groups: readonly GroupBuffers[];
  readonly slices: readonly SliceBuffers[];
  /** Bytes of the labelled images, and the gradient at the logits [classes, rows]: the coordinator's part of a step. */
  readonly labelledImages: number;
  readonly gradient: number;
  readonly end: number;
}

/** start: a multiple of 64. */
export function slicePlaces(model: Model, counts: RowCounts, slices: number, groups: number, start = 0): SlicePlaces {
  const space = new Space(start);
  const each = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  const [{ inputs: pixels }, { units: classes }] = layersOf(model);
  const sizes = each(slices, (slice) => {
    const [first, end] = unitsOf(model, slices, slice);
    return end - first;
  });
  // First, and so at the same place for all steps: what else is written there would look like a step half done.
  const signals = space.take((1 + groups) * SIGNAL_STRIDE);
  const journals = each(slices, () => space.take(JOURNAL_STRIDE / 4));
  return {
    signals,
    groups: each(groups, () => groupBuffers(space, model, counts, Math.max(...sizes))),
    slices: each(slices, (slice) => ({
      hidden: space.take((sizes[slice]! * counts.rows * BYTES[precisionOf(model)]) / 4),
      kernel: space.take(sizes[slice]! * classes),
      logits: space.take(classes * counts.rows),
      clean: space.take(classes * counts.clean),
      journal: journals[slice]!,
      bounds: space.take(2),
    })),
    labelledImages: space.take((counts.rows * pixels) / 4),
    gradient: space.take(classes * counts.rows),
    end: space.end,
  };
}

/** units: of the largest slice. */
function groupBuffers(space: Space, model: Model, { rows, clean }: RowCounts, units: number): GroupBuffers {
  const [{ inputs: pixels }, { units: classes }] = layersOf(model);
  const most = Math.max(rows, clean);
  const precision = precisionOf(model);
  const block = blockUnits(precision);
  const takeElements = (count: number): number => space.take((count * BYTES[precision]) / 4);
  return {
    x: space.take((rows + 8) * pixels),
    operand: takeElements(rows * pixels),
    cleanOperand: takeElements(clean * pixels),
    indices: space.take(rows),
    random: space.take(16 + Math.max(rows, RANDOM_CHUNK) / 2),
    block: takeElements(block * most),
    weights: takeElements(Math.max(block * pixels, classes * units)),
    bias: space.take(Math.max(block, classes)),
    product: space.take(classes * most),
  };
}

/** The hidden layer and the output layer. */
export const layersOf = ({ layers }: Model) => layers as unknown as readonly [hidden: Layer, output: Layer];

/** Those of a step in an arena. */
export const placesIn = (arena: Arena, model: Model, rows: RowCounts, slices: number, groups: number): SlicePlaces =>
  slicePlaces(model, rows, slices, groups, arena.regions.slices);
