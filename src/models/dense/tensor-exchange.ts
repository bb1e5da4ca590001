// Divides a tensor-parallel step among the workers of a machine, and exchanges its values between the arena and the
// caller of the step.
import { joined, subtreesIn } from '../../collectives/tree.js';
import { shardRange } from '../../data/shards.js';
import type { Arena } from '../../engine/arena.js';
import type { Logits, TensorShardRange, TensorStep, TensorTask } from '../tensor-tasks.js';
import { exchangesOf, widthsOf } from './tensor-blocks.js';
import {
  placesIn,
  type RowCounts,
  rowCountsOf,
  SIGNAL_STRIDE,
  type TensorShardPlaces,
  tensorShardCount,
} from './tensor-layout.js';

/** A step in an arena. */
export interface TensorExchange {
  readonly arena: Arena;
  readonly number: number;
  readonly counts: RowCounts;
  readonly places: TensorShardPlaces;
  readonly range: TensorShardRange;
  /** A task for each worker, or for each tensor shard of the range if there are fewer. */
  readonly tasks: readonly TensorTask[];
}

export interface TensorExchanger {
  /** The number of the step since the arena was made. */
  readonly number: number;
  readonly workers: number;
  /** The patience of the tasks, in milliseconds. */
  readonly patience: number;
  /** Defaults to all tensor shards. */
  readonly range: TensorShardRange | undefined;
}

/** Begins a step of a range of tensor shards. Its labelled images are copied into the arena. */
export function tensorExchangeOf(
  arena: Arena,
  { labelledImages, ...step }: TensorStep,
  { number, workers, patience, ...asked }: TensorExchanger,
): TensorExchange {
  const labelledBatch = labelledImages.length / arena.shape.pixels;
  const shards = tensorShardCount(step.model, step.shards);
  const range = asked.range ?? { first: 0, end: shards };
  // This is the number for all tensor shards, whatever the range, because the places of what lasts from step to step
  // depend on it.
  const groups = Math.min(workers, shards);
  const counts = rowCountsOf(labelledBatch, step);
  const places = placesIn(arena, step.model, counts, shards, groups);
  new Uint8Array(arena.memory.buffer, places.labelledImages, labelledImages.length).set(labelledImages);
  const length = range.end - range.first;
  const parts = Math.min(groups, length);
  const tasks = Array.from({ length: parts }, (_, group): TensorTask => {
    const [first, end] = shardRange(length, parts, group).map((shard) => range.first + shard) as [number, number];
    return { kind: 'tensor-step', ...step, number, group, groups, first, end, labelledBatch, patience };
  });
  return { arena, number, counts, places, range, tasks };
}

/** The progress in a signal: how many passes a group has done, or after how many exchanges values came down. */
const MOST_EXCHANGES = 4;
export const progressOf = (number: number, exchanges: number): number => number * MOST_EXCHANGES + exchanges;

/**
 * Returns whether a signal shows at least this much progress of this step. Before the step's first signal the memory
 * may hold anything.
 */
export const isPast = (value: number, number: number, exchanges: number): boolean =>
  value >= progressOf(number, exchanges) && value < progressOf(number + 1, 0);

/** Resolves when the group has done its pass before exchange number `exchange`. Rejects if the group's work does. */
export async function passed(
  { arena, number, places }: TensorExchange,
  exchange: number,
  group: number,
  work: Promise<unknown>,
): Promise<void> {
  const [signal, index] = signalOf(arena, places, group);
  for (;;) {
    const value = Atomics.load(signal, index);
    if (isPast(value, number, exchange + 1)) return;
    const change = Atomics.waitAsync(signal, index, value);
    if (change.async) await Promise.race([change.value, work]);
  }
}

/** Returns the sum of each subtree of tensor shards that the range consists of, after the pass of every group. */
export function sumsOf({ arena, counts, places, range, tasks }: TensorExchange, exchange: number): Logits[] {
  const { model } = tasks[0]!;
  const { pass, block } = exchangesOf(model)[exchange]!;
  const { up } = widthsOf(model, exchangesOf(model)[exchange]!);
  const floats = (at: number, length: number) => new Float32Array(arena.memory.buffer, at, length);
  const shards = places.blocks[block]!.shards;
  const ofShard = (shard: number): Logits => {
    const { sums, inputGradient, clean, bounds } = shards[shard]!;
    const [activationBound, weightBound] = floats(bounds, 2) as unknown as readonly [number, number];
    const logits = floats(pass === 'forward' ? sums : inputGradient, up * counts.rows);
    return { logits, clean: floats(clean, up * counts.clean), activationBound, weightBound };
  };
  return subtreesIn(range, shards.length).map((tree) =>
    joined(tree, ({ first, count }) => (count === 1 ? ofShard(first) : undefined), sumOf),
  );
}

/** Returns the sum of two subtrees. NaN stays NaN. */
export function sumOf(left: Logits, right: Logits): Logits {
  return {
    logits: added(left.logits, right.logits),
    clean: added(left.clean, right.clean),
    activationBound: Math.max(left.activationBound, right.activationBound),
    weightBound: Math.max(left.weightBound, right.weightBound),
  };
}

function added(a: Float32Array, b: Float32Array): Float32Array {
  const sum = new Float32Array(a.length);
  for (let i = 0; i < sum.length; i++) sum[i] = a[i]! + b[i]!;
  return sum;
}

/** Writes the values of an exchange into the arena, and wakes the threads that wait for them. */
export function give({ arena, number, places, tasks }: TensorExchange, exchange: number, values: Float32Array): void {
  const { down } = exchangesOf(tasks[0]!.model)[exchange]!;
  new Float32Array(arena.memory.buffer, places.blocks[down.block]![down.of], values.length).set(values);
  setSignal(arena, places, progressOf(number, exchange + 1));
}

/** Wakes the threads that wait for values, to tell them that none will come. */
export function abandon({ arena, number, places }: TensorExchange): void {
  setSignal(arena, places, -progressOf(number, 0));
}

export function isAbandoned({ arena, number, places }: TensorExchange): boolean {
  const [signal, index] = signalOf(arena, places, 'given');
  return Atomics.load(signal, index) === -progressOf(number, 0);
}

function setSignal(arena: Arena, places: TensorShardPlaces, progress: number): void {
  const [signal, index] = signalOf(arena, places, 'given');
  Atomics.store(signal, index, progress);
  Atomics.notify(signal, index);
}

/**
 * Returns the signal of a group, which holds its progress in its last step (progressOf), or the signal 'given', which
 * holds the exchange up to which values were given; negative: no more will come.
 */
export function signalOf(
  { memory }: Pick<Arena, 'memory'>,
  { signals, groups }: TensorShardPlaces,
  of: number | 'given',
): readonly [words: Int32Array, index: number] {
  const words = new Int32Array(memory.buffer, signals, (1 + groups.length) * SIGNAL_STRIDE);
  return [words, of === 'given' ? 0 : (1 + of) * SIGNAL_STRIDE];
}
