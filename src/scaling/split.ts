// Owns where the time of the workers went: the timeline of a measurement cut into parts that add up to the whole.
import { type Call, PARTS } from '../timeline.js';

/**
 * dispatch: a worker has no task since the coordinator prepares a call, hands out its tasks or collects its answers.
 * idle: it has done its part of a call and waits for the worker that is last.
 */
export const SHARES = [...PARTS, 'dispatch', 'idle'] as const;
export type Share = (typeof SHARES)[number];
export type Split = Readonly<Record<Share, number>>;

/** A stretch of time with whole calls in it. Times in milliseconds. */
export interface Timeline {
  readonly workers: number;
  readonly began: number;
  readonly ended: number;
  readonly calls: readonly Call[];
}

export interface Accounted {
  /** Milliseconds of all workers together. */
  readonly split: Split;
  /** (sum of the parts - whole) / whole: not 0 where tasks overlap, lie outside of their call, or are missing their parts. */
  readonly error: number;
}

/** What the parts may miss of the whole before a measurement is not to be trusted. */
export const TOLERANCE = 0.03;

/** Every part is taken from its own two times; none is what the others leave, so the sum is a check. */
export function splitOf({ workers, began, ended, calls }: Timeline): Accounted {
  const split = Object.fromEntries(SHARES.map((share) => [share, 0])) as Record<Share, number>;
  let before = began;
  for (const call of calls) {
    split.dispatch += workers * (call.called - before);
    before = call.answered;
    addCall(split, call, workers);
  }
  split.dispatch += workers * (ended - before);
  const whole = workers * (ended - began);
  const sum = SHARES.reduce((total, share) => total + split[share], 0);
  return { split, error: whole === 0 ? 0 : (sum - whole) / whole };
}

function addCall(split: Record<Share, number>, { called, answered, tasks }: Call, workers: number): void {
  const lastEnd = tasks.reduce((latest, { ended }) => Math.max(latest, ended), called);
  const names = new Set(tasks.map(({ worker }) => worker));
  for (const name of names) {
    const own = tasks.filter(({ worker }) => worker === name).sort((a, b) => a.began - b.began);
    let at = called;
    for (const { began, ended, parts } of own) {
      // A task before the end of the last one is an error that must show in the sum, not be taken off again here.
      split.dispatch += Math.max(0, began - at);
      const done = parts.reduce((sum, [, milliseconds]) => sum + milliseconds, 0);
      for (const [part, milliseconds] of parts) split[part] += milliseconds;
      split.dispatch += Math.max(0, ended - began - done);
      at = Math.max(at, ended);
    }
    split.idle += lastEnd - at;
  }
  split.idle += (workers - names.size) * (lastEnd - called);
  split.dispatch += workers * Math.max(0, answered - lastEnd);
}

/** Each share of a split times `factor`. */
export function scaled(split: Split, factor: number): Split {
  return Object.fromEntries(SHARES.map((share) => [share, split[share] * factor])) as Record<Share, number>;
}
