// Owns the update of a slice of the parameters: the sum over shards and the optimizer, in one pass of the kernel.
import type { UpdateResult, UpdateTask } from '../protocol/tasks.js';
import { JOURNAL_STRIDE, slotStride } from './arena.js';
import type { Engine } from './engine.js';
import { isRounded } from './model.js';
import { apply } from './optimizer.js';

/** Safe to call again with the same task after a worker died in it: the journal of the slice says where to go on. */
export function update(engine: Engine, task: UpdateTask): UpdateResult {
  const began = performance.now();
  const { kernel, arena } = engine;
  const { parameters, firstMoment, secondMoment, total, journals } = arena.regions;
  const rounded = isRounded(arena.shape) ? arena.regions.rounded : 0;
  const { start, end, optimizer, update: id } = task;
  // A total is a tree of one slot, of floats.
  const [slots, shards] = task.isSummed ? [total, 1] : [arena.regions.slots, task.shards];
  const journal = journals + task.slice * JOURNAL_STRIDE;
  const vectors = { p: parameters, m: firstMoment, v: secondMoment };
  const areBf16 = isRounded(arena.shape) && !task.isSummed;
  const gradient = { slots, stride: slotStride(arena.shape), shards, areBf16 };
  apply(kernel, optimizer, { ...vectors, ...gradient, start, end, id, journal, rounded });
  return { milliseconds: performance.now() - began };
}
