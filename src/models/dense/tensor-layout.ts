// The geometry of tensor parallelism: the hidden units of each shard, and the addresses of a step's matrices in the
// arena.
import { shardRange } from '../../data/shards.js';
import { type Arena, type ArenaShape, UPDATE_LOG_STRIDE } from '../../engine/arena.js';
import { type Lists, listRoom } from '../../engine/products.js';
import { Space } from '../../engine/space.js';
import { paddedRows } from '../kind.js';
import type { TensorShardRange, TensorStep } from '../tensor-tasks.js';
import { TILE_UNITS } from './layer.js';
import type { DenseModel } from './model.js';
import { type NarrowLayersPlaces, narrowLayersPlaces } from './narrow-layers.js';
import { type ParallelBlock, parallelBlocksOf } from './tensor-blocks.js';
import { RANDOM_CHUNK } from './workspace.js';

/**
 * Tensor shards begin at a multiple of this many units, so that their part of any matrix [units, ...] is aligned to 64
 * bytes.
 */
const UNIT_GROUP = 16;

/** The words between two signals: a cache line. */
export const SIGNAL_STRIDE = 16;

/**
 * The gradient of an output kernel is computed for a multiple of this many outputs at a time, so that their matrices
 * are aligned to 64 bytes.
 */
export const OUTPUT_GROUP = 16;

/** Returns the number of tensor shards. A small layer has fewer of them than the run has shards. */
export const tensorShardCount = (model: DenseModel, shards: number): number =>
  Math.min(shards, ...parallelBlocksOf(model).map(({ hidden }) => Math.ceil(hidden.units / UNIT_GROUP)));

/** Returns the units [first, end) of a tensor shard in a block's wide layer. */
export function unitsOf(
  model: DenseModel,
  shards: number,
  shard: number,
  block = 0,
): readonly [first: number, end: number] {
  const { units } = parallelBlocksOf(model)[block]!.hidden;
  const [first, end] = shardRange(Math.ceil(units / UNIT_GROUP), shards, shard);
  return [first * UNIT_GROUP, Math.min(end * UNIT_GROUP, units)];
}

/**
 * Returns the ranges of the parameter vector that belong to tensor shards, in floats: their units' weights and biases,
 * and for tensor shard 0 also the biases above.
 */
export function stateOf(
  model: DenseModel,
  shards: number,
  range: TensorShardRange,
): (readonly [start: number, end: number])[] {
  return parallelBlocksOf(model).flatMap(({ hidden, output, below, above }, block) => {
    const [first] = unitsOf(model, shards, range.first, block);
    const [, end] = unitsOf(model, shards, range.end - 1, block);
    const columns = Array.from({ length: output.units }, (_, c) => {
      const row = above.kernel + c * hidden.units;
      return [row + first, row + end] as const;
    });
    return [
      [below.kernel + first * hidden.inputs, below.kernel + end * hidden.inputs],
      [below.bias + first, below.bias + end],
      ...columns,
      ...(range.first === 0 ? [[above.bias, above.bias + output.units] as const] : []),
    ] as const;
  });
}

/** The rows of a step, and the unlabelled rows among them, padded for the kernel. clean: 0 if no labels are wanted. */
export interface RowCounts {
  readonly rows: number;
  readonly clean: number;
}

export const rowCountsOf = (
  labelledBatch: number,
  { unlabelledBatch, labelsFresh }: Pick<TensorStep, 'unlabelledBatch' | 'labelsFresh'>,
): RowCounts => ({
  rows: paddedRows(labelledBatch + unlabelledBatch),
  clean: labelsFresh ? paddedRows(unlabelledBatch) : 0,
});

/** Addresses in bytes of what a group of tensor shards shares. One thread at a time computes the group. */
export interface GroupBuffers {
  /** The inputs [rows, pixels], with room behind them up to a multiple of 8 rows. */
  readonly x: number;
  /** The clean rows [clean, pixels]. */
  readonly cleanRows: number;
  /** The lists of the non-zeros of all rows and of the clean rows, and scratch for those of a tile's gradient. */
  readonly lists: Lists;
  readonly cleanLists: number;
  readonly gradientLists: number;
  /** Unlabelled images that are being loaded, as bytes. */
  readonly images: number;
  readonly random: number;
  /**
   * Scratch. tile: a tile's activations without dropout, or gradients, [units, rows]. weights: the gradient of weights,
   * weightFloats at a time. product: a product that is then added.
   */
  readonly tile: number;
  readonly weights: number;
  readonly weightFloats: number;
  readonly bias: number;
  readonly product: number;
}

/** What a tensor shard keeps of a block from pass to pass, whichever threads compute them. */
export interface TensorShardBuffers {
  /**
   * hidden: activations [units, rows]. kernel: its part of the output kernel, [outputs, units] for each tile of units,
   * as it was in the forward pass.
   */
  readonly hidden: number;
  readonly kernel: number;
  /** What it adds to the block's outputs: [outputs, rows]. */
  readonly sums: number;
  readonly clean: number;
  /**
   * The gradient at its activations [units, rows], and what it adds to the gradient at the block's inputs [inputs,
   * rows]; the latter is empty if nothing reads it.
   */
  readonly hiddenGradient: number;
  readonly inputGradient: number;
  readonly updateLog: number;
  /** Two floats: activationBound and weightBound of Logits. */
  readonly bounds: number;
}

export interface BlockPlaces {
  /** The block's inputs, [inputs, rows], unless those are the rows themselves. */
  readonly inputs: number;
  /** The gradient at its outputs, [outputs, rows]. */
  readonly gradient: number;
  readonly shards: readonly TensorShardBuffers[];
}

export interface TensorShardPlaces {
  /**
   * The progress of a step, i32, SIGNAL_STRIDE apart: first what came down, then what each group has done
   * (tensor-exchange.ts).
   */
  readonly signals: number;
  readonly groups: readonly GroupBuffers[];
  readonly blocks: readonly BlockPlaces[];
  readonly narrowLayers: NarrowLayersPlaces;
  /** The bytes of the labelled images. */
  readonly labelledImages: number;
  readonly end: number;
}

const MOST_BLOCKS = 2;

/** Lays out a step. start: a multiple of 64. */
export function tensorShardPlaces(
  model: DenseModel,
  counts: RowCounts,
  shards: number,
  groups: number,
  start = 0,
): TensorShardPlaces {
  const space = new Space(start);
  const each = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  // Signals come first, so that they have the same place for all steps of all models. Otherwise other data there could
  // look like a step that is half done.
  const signals = space.take((1 + groups) * SIGNAL_STRIDE);
  const updateLogs = each(1 + MOST_BLOCKS * shards, () => space.take(UPDATE_LOG_STRIDE / 4));
  const sizes = parallelBlocksOf(model).map((_, block) =>
    each(shards, (shard) => {
      const [first, end] = unitsOf(model, shards, shard, block);
      return end - first;
    }),
  );
  return {
    signals,
    groups: each(groups, () => groupBuffers(space, model, counts, Math.max(...sizes.flat()))),
    blocks: parallelBlocksOf(model).map(({ hidden, output }, block) => {
      const isFirst = block === 0;
      return {
        inputs: space.take(isFirst ? 0 : hidden.inputs * counts.rows),
        gradient: space.take(output.units * counts.rows),
        shards: each(shards, (shard) => {
          const units = sizes[block]![shard]!;
          return {
            hidden: space.take(units * counts.rows),
            kernel: space.take(units * output.units),
            sums: space.take(output.units * counts.rows),
            clean: space.take(output.units * counts.clean),
            hiddenGradient: space.take(isFirst ? 0 : units * counts.rows),
            inputGradient: space.take(isFirst ? 0 : hidden.inputs * counts.rows),
            updateLog: updateLogs[1 + block * shards + shard]!,
            bounds: space.take(2),
          };
        }),
      };
    }),
    narrowLayers: narrowLayersPlaces(space, model, counts.rows, updateLogs[0]!),
    labelledImages: space.take((counts.rows * model.layers[0]!.inputs) / 4),
    end: space.end,
  };
}

/** Returns the bytes that an arena needs for steps of this many rows. */
export function tensorShardRoom(
  model: DenseModel,
  counts: RowCounts,
  shards: number,
): Required<Pick<ArenaShape, 'tensorShardBytes' | 'shardGroupBytes'>> {
  const tensorShardBytes = tensorShardPlaces(model, counts, shards, 0).end;
  return { tensorShardBytes, shardGroupBytes: tensorShardPlaces(model, counts, shards, 1).end - tensorShardBytes };
}

/** Lays out what a group shares. units: of the largest tensor shard. */
function groupBuffers(space: Space, model: DenseModel, { rows, clean }: RowCounts, units: number): GroupBuffers {
  const blocks = parallelBlocksOf(model);
  const pixels = model.layers[0]!.inputs;
  const most = Math.max(rows, clean);
  const takeLists = (n: number, k: number): number => space.take(listRoom(n, k) / 4);
  const largest = (of: (block: ParallelBlock, p: number) => number) => Math.max(...blocks.map(of));
  const weightFloats = Math.max(
    largest(({ hidden }) => TILE_UNITS * hidden.inputs),
    OUTPUT_GROUP * units,
  );
  return {
    x: space.take((rows + 8) * pixels),
    cleanRows: space.take(clean * pixels),
    lists: { byRow: takeLists(rows, pixels), byInput: takeLists(pixels, rows) },
    cleanLists: takeLists(clean, pixels),
    gradientLists: takeLists(TILE_UNITS, rows),
    images: space.take((rows * pixels) / 4),
    random: space.take(16 + Math.max(rows, RANDOM_CHUNK) / 2),
    tile: space.take(TILE_UNITS * most),
    weights: space.take(weightFloats),
    weightFloats,
    bias: space.take(
      Math.max(
        TILE_UNITS,
        largest(({ output }) => output.units),
      ),
    ),
    product: space.take(most * largest(({ hidden, output }, p) => Math.max(output.units, p === 0 ? 0 : hidden.inputs))),
  };
}

/** Returns the places of a step in an arena. */
export const placesIn = (
  arena: Arena,
  model: DenseModel,
  rows: RowCounts,
  shards: number,
  groups: number,
): TensorShardPlaces => tensorShardPlaces(model, rows, shards, groups, arena.regions.tensorShards);
