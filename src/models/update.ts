// Updates a range of the parameters: one pass of the kernel sums over the shards and applies the optimizer.

import { type Arena, gradientStride, UPDATE_LOG_STRIDE } from '../engine/arena.js';
import { apply, type OptimizerStep } from '../engine/optimizer.js';
import { updateAverage } from '../engine/weight-average.js';
import type { Engine } from './engine.js';
import type { UpdateResult, UpdateTask } from './tasks.js';

/**
 * p = p - g. The gradient of a statistic is the difference between the moving average and the moments of the rows,
 * times 1 - momentum, so that this step updates the moving average.
 */
const STATISTICS: OptimizerStep = { kind: 'momentum', a: 0, b: 1, c: 1 };

/**
 * Updates a range of the parameters. It may be called again with the same task after a worker died in it: the update
 * log of the slice says where to continue.
 */
export function update(engine: Engine, task: UpdateTask): UpdateResult {
  const began = performance.now();
  const { kernel, arena } = engine;
  const { parameters, firstMoment, secondMoment, total, updateLogs } = arena.regions;
  const { start, end, optimizer, statistics = end, scale = 1 } = task;
  // A total is a tree of one gradient buffer.
  const [gradientBuffers, shards] = task.isSummed ? [total, 1] : [arena.regions.gradientBuffers, task.shards];
  const updateLog = updateLogs + task.slice * UPDATE_LOG_STRIDE;
  const vectors = { p: parameters, m: firstMoment, v: secondMoment };
  const gradient = { gradientBuffers, stride: gradientStride(arena.shape), shards };
  const range = { ...vectors, ...gradient, updateLog };
  // The two passes of one log have different ids. The first pass is skipped if the second has begun.
  const [first, second] = [task.update, -task.update];
  const boundary = Math.min(Math.max(start, statistics), end);
  if (start < boundary && idIn(arena, updateLog) !== second)
    apply(kernel, optimizer, { ...range, start, end: boundary, id: first, scale });
  if (boundary < end) apply(kernel, STATISTICS, { ...range, start: boundary, end, id: second, scale: 1 });
  if (optimizer.average !== undefined) {
    const averageLog = arena.regions.averageLogs + task.slice * UPDATE_LOG_STRIDE;
    const at = { p: parameters, average: arena.regions.average, start, end, id: task.update, updateLog: averageLog };
    updateAverage(kernel, optimizer.average, at);
  }
  return { milliseconds: performance.now() - began };
}

/** Returns the id of the pass that is in the log (engine/kernel/assembly/optimizers.ts). */
const idIn = ({ memory }: Arena, updateLog: number): number =>
  Atomics.load(new Int32Array(memory.buffer, updateLog, 1), 0);
