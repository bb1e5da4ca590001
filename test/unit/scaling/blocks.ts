// Makes blocks of measurements for tests.

import type { Block, Round } from '../../../src/scaling/summary.js';
import { SHARES, type Share } from '../../../src/scaling/time-split.js';

/**
 * Makes a block of one step. parts: milliseconds of all workers together, which sum to the time of `workers` workers.
 */
export function blockOf(workers: number, rows: number, parts: Partial<Record<Share, number>>): Block {
  const split = Object.fromEntries(SHARES.map((share) => [share, parts[share] ?? 0])) as Record<Share, number>;
  const sum = SHARES.reduce((total, share) => total + split[share], 0);
  return { steps: 1, rows, milliseconds: sum / workers, split, splitError: 0, withoutCore: 0, wireBytes: 0 };
}

/**
 * One worker takes 100 ms for 100 rows, and two take 60. They lose 20 of 120 ms: 15 by waiting and 10 by the update,
 * less 5 in the forward pass.
 */
export const ONE = blockOf(1, 100, { forward: 40, backward: 50, update: 10 });
export const TWO = blockOf(2, 100, { forward: 35, backward: 50, update: 20, idle: 15 });

export const slower = (block: Block, factor: number): Block => {
  const split = Object.fromEntries(SHARES.map((share) => [share, block.split[share] * factor]));
  return { ...block, milliseconds: block.milliseconds * factor, split: split as Record<Share, number> };
};

/** Returns rounds in which the machine was slower by these factors. */
export const roundsOf = (factors: readonly number[], one = ONE, two = TWO): Round[] =>
  factors.map((factor) => ({
    workers: { 1: slower(one, factor), 2: slower(two, factor) },
    threads: { 2: slower({ ...one, milliseconds: 80 }, factor) },
  }));
