// Owns how a node divides a sliced step among its workers, and what passes between the arena and whoever asks for the step.
import { shardRange } from '../data/shards.js';
import type { BackwardTask, ForwardResult, ForwardTask, PartialLogits, SlicedStep } from '../protocol/slices.js';
import type { OptimizerStep } from '../protocol/tasks.js';
import type { Arena } from './arena.js';
import { placesIn, type RowCounts, rowCountsOf, type SlicePlaces, sliceCount } from './slices.js';

/** A step in an arena. */
export interface Slicing {
  readonly arena: Arena;
  readonly counts: RowCounts;
  readonly places: SlicePlaces;
  /** A task for each of the workers, or for each slice where there are fewer. */
  readonly tasks: readonly ForwardTask[];
}

export function slicingOf(arena: Arena, { labelledImages, ...step }: SlicedStep, workers: number): Slicing {
  const labelledBatch = labelledImages.length / arena.shape.pixels;
  const slices = sliceCount(step.model, step.shards);
  const groups = Math.min(workers, slices);
  const counts = rowCountsOf(labelledBatch, step);
  const places = placesIn(arena, step.model, counts, slices, groups);
  const tasks = Array.from({ length: groups }, (_, group): ForwardTask => {
    const [first, end] = shardRange(slices, groups, group);
    return { kind: 'forward', ...step, group, groups, first, end, labelledBatch };
  });
  return { arena, counts, places, tasks };
}

/** To be done before the tasks. */
export function writeLabelledImages({ arena, places }: Slicing, images: Uint8Array): void {
  new Uint8Array(arena.memory.buffer, places.labelledImages, images.length).set(images);
}

export function partialLogits(slicing: Slicing, results: readonly ForwardResult[]): PartialLogits[] {
  const { arena, counts, places, tasks } = slicing;
  const classes = tasks[0]!.model.layers[1]!.units;
  const floats = (at: number, rows: number) => new Float32Array(arena.memory.buffer, at, classes * rows);
  const bounds = results.flatMap(({ bounds, milliseconds }) => bounds.map((of) => ({ ...of, milliseconds })));
  return places.slices.map(({ logits, clean }, slice) => {
    return { logits: floats(logits, counts.rows), clean: floats(clean, counts.clean), ...bounds[slice]! };
  });
}

/** gradient: at the logits, [classes, rows]. update: as of BackwardTask. */
export function backwardTasks(
  { arena, places, tasks }: Slicing,
  gradient: Float32Array,
  optimizer: OptimizerStep,
  update: number,
): BackwardTask[] {
  new Float32Array(arena.memory.buffer, places.gradient, gradient.length).set(gradient);
  return tasks.map((task) => ({ ...task, kind: 'backward', update, optimizer }));
}
