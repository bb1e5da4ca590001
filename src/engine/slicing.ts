// Owns how a node divides a sliced step among its workers, and what passes between the arena and whoever asks for the step.
import { shardRange } from '../data/shards.js';
import type { PartialLogits, SlicedStep, SliceTask } from '../protocol/slices.js';
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
  /** A task for each of the workers, or for each slice where there are fewer. */
  readonly tasks: readonly SliceTask[];
}

/** Step `number` since the arena was made, for so many workers; the labelled images are put into the arena. patience: of the tasks. */
export function slicingOf(
  arena: Arena,
  { labelledImages, ...step }: SlicedStep,
  { number, workers, patience }: { readonly number: number; readonly workers: number; readonly patience: number },
): Slicing {
  const labelledBatch = labelledImages.length / arena.shape.pixels;
  const slices = sliceCount(step.model, step.shards);
  const groups = Math.min(workers, slices);
  const counts = rowCountsOf(labelledBatch, step);
  const places = placesIn(arena, step.model, counts, slices, groups);
  new Uint8Array(arena.memory.buffer, places.labelledImages, labelledImages.length).set(labelledImages);
  const tasks = Array.from({ length: groups }, (_, group): SliceTask => {
    const [first, end] = shardRange(slices, groups, group);
    return { kind: 'slices', ...step, number, group, groups, first, end, labelledBatch, patience };
  });
  return { arena, number, counts, places, tasks };
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

/** After the forward pass of every group. */
export function partialLogits({ arena, counts, places, tasks }: Slicing): PartialLogits[] {
  const classes = layersOf(tasks[0]!.model)[1].units;
  const floats = (at: number, length: number) => new Float32Array(arena.memory.buffer, at, length);
  return places.slices.map(({ logits, clean, bounds }) => {
    const [activationBound, weightBound] = floats(bounds, 2) as unknown as readonly [number, number];
    const partial = { logits: floats(logits, classes * counts.rows), clean: floats(clean, classes * counts.clean) };
    return { ...partial, activationBound, weightBound };
  });
}

/** Puts the gradient at the logits into the arena and wakes up who waits for it. */
export function giveGradient({ arena, number, places }: Slicing, gradient: Float32Array): void {
  new Float32Array(arena.memory.buffer, places.gradient, gradient.length).set(gradient);
  const [signal, index] = signalOf(arena, places, 'gradient');
  Atomics.store(signal, index, number);
  Atomics.notify(signal, index);
}

/** Where the number of the last step is whose forward pass a group has done, or whose gradient is there. */
export function signalOf(
  { memory }: Arena,
  { signals, groups }: SlicePlaces,
  of: number | 'gradient',
): readonly [words: Int32Array, index: number] {
  const words = new Int32Array(memory.buffer, signals, (1 + groups.length) * SIGNAL_STRIDE);
  return [words, of === 'gradient' ? 0 : (1 + of) * SIGNAL_STRIDE];
}
