// Gradient clipping: the Euclidean norm of a step's whole gradient, and the factor that limits it. The norm has the same
// bits for any number of workers, because squares are summed chunk by chunk.
import { gradientStride, UPDATE_LOG_STRIDE } from '../engine/arena.js';
import { UPDATE_CHUNK, UPDATE_LOG_SUMS } from '../engine/kernel/kernel.js';
import { notFinite } from '../failures.js';
import type { Engine } from './engine.js';
import type { NormResult, NormTask } from './tasks.js';

/**
 * Sums the squares of a slice of the gradient. It may run again, because the gradient buffers do not change. Afterwards
 * the arena's total holds the sum of the slice. Statistics do not count.
 */
export function norm({ kernel, arena }: Engine, task: NormTask): NormResult {
  const began = performance.now();
  const { regions, memory, shape } = arena;
  const { start, end, shards, slice, isSummed = false, statistics = end } = task;
  // This scratch belongs to this slice alone, and nothing in it is needed between two tasks.
  const sums = regions.updateLogs + slice * UPDATE_LOG_STRIDE + UPDATE_LOG_SUMS;
  if (!isSummed)
    kernel.sum(regions.gradientBuffers, gradientStride(shape), 0, 0, shards, start, end, regions.total, sums);
  const squares: number[] = [];
  const last = Math.min(end, statistics);
  for (let chunk = start; chunk < last; chunk += UPDATE_CHUNK) {
    const values = new Float32Array(memory.buffer, regions.total + chunk * 4, Math.min(UPDATE_CHUNK, last - chunk));
    squares.push(sumOfSquares(values));
  }
  return { squares, milliseconds: performance.now() - began };
}

/** Sums in doubles, in which no square of a float overflows. */
function sumOfSquares(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return sum;
}

/** Returns the norm of all slices, in their order. It is not finite if an element is not. */
export function normOf(slices: readonly Pick<NormResult, 'squares'>[]): number {
  let sum = 0;
  for (const { squares } of slices) for (const square of squares) sum += square;
  return Math.sqrt(sum);
}

/**
 * Returns the factor, at most 1, that scales a gradient of this norm so that its norm is at most `clip` (Pascanu et al.
 * 2013, algorithm 1).
 */
export const clipScale = (clip: number, norm: number): number => (norm > clip ? clip / norm : 1);

/**
 * Returns the factor of a gradient whose slices have these norms. Throws E_NOT_FINITE, before anything is updated, if the
 * gradient is not finite.
 */
export function clipScaleOf(clip: number, norms: readonly Pick<NormResult, 'squares'>[]): number {
  const norm = normOf(norms);
  if (Number.isFinite(norm)) return clipScale(clip, norm);
  throw notFinite('the sum of the gradients is not finite, so that it cannot be clipped');
}
