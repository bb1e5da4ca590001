// Updates a range of the parameters: the sum over shards and the optimizer, in one pass of the kernel.

import { gradientStride, UPDATE_LOG_STRIDE } from '../engine/arena.js';
import { apply } from '../engine/optimizer.js';
import { isRounded } from '../engine/precision.js';
import type { Engine } from './engine.js';
import type { UpdateResult, UpdateTask } from './tasks.js';

/** Safe to call again with the same task after a worker died in it: the update log of the slice says where to go on. */
export function update(engine: Engine, task: UpdateTask): UpdateResult {
  const began = performance.now();
  const { kernel, arena } = engine;
  const { parameters, firstMoment, secondMoment, total, updateLogs } = arena.regions;
  const rounded = isRounded(arena.shape) ? arena.regions.rounded : 0;
  const { start, end, optimizer, update: id, scale = 1 } = task;
  // A total is a tree of one gradient buffer, of floats.
  const [gradientBuffers, shards] = task.isSummed ? [total, 1] : [arena.regions.gradientBuffers, task.shards];
  const updateLog = updateLogs + task.slice * UPDATE_LOG_STRIDE;
  const vectors = { p: parameters, m: firstMoment, v: secondMoment };
  const areBf16 = isRounded(arena.shape) && !task.isSummed;
  const gradient = { gradientBuffers, stride: gradientStride(arena.shape), shards, areBf16 };
  apply(kernel, optimizer, { ...vectors, ...gradient, start, end, id, updateLog, rounded, scale });
  return { milliseconds: performance.now() - began };
}
