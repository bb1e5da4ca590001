// The exponential average of the weights (EMA): its decay in each step, and the pass that updates it.

import type { Kernel } from './kernel/kernel.js';
import type { UpdateRange } from './optimizer.js';

/** Addresses of the parameters and their average, in bytes; start and end are in floats from there. */
export type AverageRange = Pick<UpdateRange, 'p' | 'start' | 'end' | 'id' | 'updateLog'> & { readonly average: number };

/**
 * average = decay * average + (1 - decay) * p. This is the pass of an update, with its log: the parameters are the one
 * gradient buffer, the average is its moment, and the parameters themselves do not change (c = 0).
 */
export function updateAverage(kernel: Kernel, decay: number, range: AverageRange): void {
  const { p, average, start, end, id, updateLog } = range;
  kernel.momentum(p, average, p, 0, 1, start, end, decay, 1 - decay, 0, 1, 0, id, updateLog);
}

/**
 * Returns the decay of the average after step `step`. It is smaller at first, so that the average forgets the initial
 * weights.
 */
export const averageDecay = (decay: number, step: number): number => Math.min(decay, (2 + step) / (11 + step));
