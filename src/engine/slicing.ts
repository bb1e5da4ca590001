// Owns how a node divides a sliced step among its workers, and what passes between the arena and whoever asks for the step.
import { joined, subtreesIn } from '../collectives/tree.js';
import { shardRange } from '../data/shards.js';
import type { Logits, SlicedStep, SliceRange, SliceTask } from '../protocol/slices.js';
import type { Arena } from './arena.js';
import {
  layersOf,
  placesIn,
  type RowCounts,
  rowCountsOf,
  SIGNAL_STRIDE,
  type SlicePlaces,
  sliceCount,
} from './slices.js';

/** A step in an arena. */
export interface Slicing {
  readonly arena: Arena;
  readonly number: number;
  readonly counts: RowCounts;
  readonly places: SlicePlaces;
  readonly range: SliceRange;
  /** A task for each of the workers, or for each slice of the range where there are fewer. */
  readonly tasks: readonly SliceTask[];
}

export interface Slicer {
  /** Of the step, since the arena was made. */
  readonly number: number;
  readonly workers: number;
  /** Of the tasks. */
  readonly patience: number;
  /** Default: all slices. */
  readonly range: SliceRange | undefined;
}

/** A step of a range of slices; its labelled images are put into the arena. */
export function slicingOf(
  arena: Arena,
  { labelledImages, ...step }: SlicedStep,
  { number, workers, patience, ...asked }: Slicer,
): Slicing {
  const labelledBatch = labelledImages.length / arena.shape.pixels;
  const slices = sliceCount(step.model, step.shards);
  const range = asked.range ?? { first: 0, end: slices };
  // As for all slices, whatever the range: the places of what lasts from step to step depend on it.
  const groups = Math.min(workers, slices);
  const counts = rowCountsOf(labelledBatch, step);
  const places = placesIn(arena, step.model, counts, slices, groups);
  new Uint8Array(arena.memory.buffer, places.labelledImages, labelledImages.length).set(labelledImages);
  const length = range.end - range.first;
  const parts = Math.min(groups, length);
  const tasks = Array.from({ length: parts }, (_, group): SliceTask => {
    const [first, end] = shardRange(length, parts, group).map((slice) => range.first + slice) as [number, number];
    return { kind: 'slices', ...step, number, group, groups, first, end, labelledBatch, patience };
  });
  return { arena, number, counts, places, range, tasks };
}

/** Resolves when the group has done its forward pass; rejects with the work on it. */
export async function forwardOf(
  { arena, number, places }: Slicing,
  group: number,
  work: Promise<unknown>,
): Promise<void> {
  const [signal, index] = signalOf(arena, places, group);
  for (;;) {
    const value = Atomics.load(signal, index);
    if (value === number) return;
    const change = Atomics.waitAsync(signal, index, value);
    if (change.async) await Promise.race([change.value, work]);
  }
}

/** After the forward pass of every group: the sum of each subtree of slices that the range is made of. */
export function logitsOf({ arena, counts, places, range, tasks }: Slicing): Logits[] {
  const classes = layersOf(tasks[0]!.model)[1].units;
  const floats = (at: number, length: number) => new Float32Array(arena.memory.buffer, at, length);
  const ofSlice = (slice: number): Logits => {
    const { logits, clean, bounds } = places.slices[slice]!;
    const [activationBound, weightBound] = floats(bounds, 2) as unknown as readonly [number, number];
    const partial = { logits: floats(logits, classes * counts.rows), clean: floats(clean, classes * counts.clean) };
    return { ...partial, activationBound, weightBound };
  };
  return subtreesIn(range, places.slices.length).map((tree) =>
    joined(tree, ({ first, count }) => (count === 1 ? ofSlice(first) : undefined), sumOf),
  );
}

/** Of two subtrees. NaN stays NaN. */
export function sumOf(left: Logits, right: Logits): Logits {
  // No map(): it would make an object of every number, a third of what a coordinator has to collect.
  const added = (a: Float32Array, b: Float32Array) => {
    const sum = new Float32Array(a.length);
    for (let i = 0; i < sum.length; i++) sum[i] = a[i]! + b[i]!;
    return sum;
  };
  return {
    logits: added(left.logits, right.logits),
    clean: added(left.clean, right.clean),
    activationBound: Math.max(left.activationBound, right.activationBound),
    weightBound: Math.max(left.weightBound, right.weightBound),
  };
}

/** Puts the gradient at the logits into the arena and wakes up who waits for it. */
export function giveGradient({ arena, number, places }: Slicing, gradient: Float32Array): void {
  new Float32Array(arena.memory.buffer, places.gradient, gradient.length).set(gradient);
  const [signal, index] = signalOf(arena, places, 'gradient');
  Atomics.store(signal, index, number);
  Atomics.notify(signal, index);
}

/** Sends home who waits for a gradient that will not come. */
export function giveUp({ arena, number, places }: Slicing): void {
  const [signal, index] = signalOf(arena, places, 'gradient');
  Atomics.store(signal, index, -number);
  Atomics.notify(signal, index);
}

/** Where the number of the last step is whose forward pass a group has done, or whose gradient is there; negative: the one whose gradient will not come. */
export function signalOf(
  { memory }: Arena,
  { signals, groups }: SlicePlaces,
  of: number | 'gradient',
): readonly [words: Int32Array, index: number] {
  const words = new Int32Array(memory.buffer, signals, (1 + groups.length) * SIGNAL_STRIDE);
  return [words, of === 'gradient' ? 0 : (1 + of) * SIGNAL_STRIDE];
}
