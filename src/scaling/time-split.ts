// Splits the time of workers: divides the timeline of a measurement into parts that add up to the whole.
import { ACTIVITIES, type Activity, type Call, PARTS } from '../engine/timeline.js';

/**
 * The shares of the time. serialise, send, and the wait between two calls: a worker has no task because its process is
 * busy with other processes, or waits for them. dispatch: it has no task because its process prepares a call, hands out
 * its tasks or collects its answers; with nodes, it also adds up sums. idle: it has done its part of a call and waits
 * for the slowest worker.
 */
export const SHARES = [...PARTS, 'serialise', 'send', 'dispatch', 'idle'] as const;
export type Share = (typeof SHARES)[number];
export type Split = Readonly<Record<Share, number>>;

/** Returns a split with the value of each share. */
export const splitBy = (of: (share: Share) => number): Record<Share, number> =>
  Object.fromEntries(SHARES.map((share) => [share, of(share)])) as Record<Share, number>;

export const sumOf = (split: Split): number => SHARES.reduce((sum, share) => sum + split[share], 0);

/** An interval with whole calls in it. Times are in milliseconds. */
export interface Timeline {
  readonly workers: number;
  readonly began: number;
  readonly ended: number;
  readonly calls: readonly Call[];
  /**
   * The activities in order, without overlaps. Those within a call do not count, because the workers then have tasks.
   */
  readonly activities?: readonly Activity[];
}

export interface Accounted {
  /** Milliseconds of all workers together. */
  readonly split: Split;
  /** (sum of the parts - whole) / whole. It is not 0 if tasks overlap, are outside of their call, or lack parts. */
  readonly error: number;
}

/** The largest such error of a measurement that can be trusted. */
export const TOLERANCE = 0.03;

/**
 * Splits a timeline. Every part is measured on its own, and none is the rest of the others, so that the sum is a check.
 */
export function splitOf({ workers, began, ended, calls, activities = [] }: Timeline): Accounted {
  const split = splitBy(() => 0);
  let before = began;
  for (const call of calls) {
    addGap(split, before, call.called, activities, workers);
    before = call.answered;
    addCall(split, call, workers);
  }
  addGap(split, before, ended, activities, workers);
  const whole = workers * (ended - began);
  return { split, error: whole === 0 ? 0 : (sumOf(split) - whole) / whole };
}

/** Adds the time between two calls. */
function addGap(
  split: Record<Share, number>,
  from: number,
  to: number,
  activities: readonly Activity[],
  workers: number,
): void {
  let at = from;
  for (const activity of activities) {
    const began = Math.max(from, activity.began);
    const ended = Math.min(to, activity.ended);
    if (ended <= began) continue;
    // As with tasks, an overlap must show in the sum.
    split.dispatch += workers * Math.max(0, began - at);
    split[activity.kind] += workers * (ended - began);
    at = Math.max(at, ended);
  }
  split.dispatch += workers * (to - at);
}

function addCall(split: Record<Share, number>, { called, answered, tasks }: Call, workers: number): void {
  const lastEnd = tasks.reduce((latest, { ended }) => Math.max(latest, ended), called);
  const names = new Set(tasks.map(({ worker }) => worker));
  for (const name of names) {
    const own = tasks.filter(({ worker }) => worker === name).sort((a, b) => a.began - b.began);
    let at = called;
    for (const { began, ended, parts } of own) {
      // A task before the end of the last one is an error. It must show in the sum, and is not subtracted here.
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

/** Returns the part of a call before `end`. */
export function until(call: Call, end: number): Call {
  if (call.answered <= end) return call;
  const tasks = call.tasks
    .filter(({ began }) => began < end)
    .map((task) => {
      const ended = Math.min(task.ended, end);
      let left = ended - task.began;
      const parts = task.parts.map(([part, milliseconds]) => {
        const kept = Math.min(milliseconds, left);
        left -= kept;
        return [part, kept] as const;
      });
      return { ...task, ended, parts };
    });
  return { ...call, answered: end, tasks };
}

/** Returns the milliseconds of tasks in which they waited for nothing but a core. */
export const computing = (calls: readonly Call[]): number =>
  calls
    .flatMap(({ tasks }) => tasks)
    .reduce((sum, { began, ended, parts }) => {
      const waited = parts.reduce((total, [part, milliseconds]) => total + (part === 'wait' ? milliseconds : 0), 0);
      return sum + ended - began - waited;
    }, 0);

/** Adds the splits of several processes over the same interval. whole: milliseconds of all their workers together. */
export function together(splits: readonly Split[], whole: number): Accounted {
  const split = splitBy((share) => splits.reduce((sum, each) => sum + each[share], 0));
  return { split, error: (sumOf(split) - whole) / whole };
}

/** Returns each share of a split times `factor`. */
export const scaled = (split: Split, factor: number): Split => splitBy((share) => split[share] * factor);

/**
 * Returns the same time with each instant once, in order. An instant counts as the first of ACTIVITIES that went on
 * then, in which work comes before waiting.
 */
export function exclusive(activities: readonly Activity[]): Activity[] {
  const edges = activities
    .filter(({ began, ended }) => ended > began)
    .flatMap(({ kind, began, ended }) => [
      { at: began, kind, change: 1 },
      { at: ended, kind, change: -1 },
    ])
    .sort((a, b) => a.at - b.at);
  const active = { update: 0, serialise: 0, send: 0, wait: 0 };
  const pieces: { kind: Activity['kind']; began: number; ended: number }[] = [];
  let before = 0;
  for (const { at, kind, change } of edges) {
    const current = ACTIVITIES.find((each) => active[each] > 0);
    const last = pieces.at(-1);
    if (current !== undefined && at > before) {
      if (last?.kind === current && last.ended === before) last.ended = at;
      else pieces.push({ kind: current, began: before, ended: at });
    }
    active[kind] += change;
    before = at;
  }
  return pieces;
}
