// Where the time of the workers went: cuts the timeline of a measurement into parts that add up to the whole.
import { ACTIVITIES, type Activity, type Call, PARTS } from '../engine/timeline.js';

/**
 * serialise, send, and the wait between two calls: a worker has no task since its process is busy with others, or waits
 * for them. dispatch: it has none since its process prepares a call, hands out its tasks or collects its answers; with
 * nodes, also adds up sums. idle: it has done its part of a call and waits for the worker that is last.
 */
export const SHARES = [...PARTS, 'serialise', 'send', 'dispatch', 'idle'] as const;
export type Share = (typeof SHARES)[number];
export type Split = Readonly<Record<Share, number>>;

/** A split with the value of each share. */
export const splitBy = (of: (share: Share) => number): Record<Share, number> =>
  Object.fromEntries(SHARES.map((share) => [share, of(share)])) as Record<Share, number>;

export const sumOf = (split: Split): number => SHARES.reduce((sum, share) => sum + split[share], 0);

/** An interval with whole calls in it. Times in milliseconds. */
export interface Timeline {
  readonly workers: number;
  readonly began: number;
  readonly ended: number;
  readonly calls: readonly Call[];
  /** In order, without overlaps; what lies within a call does not count, since the workers then have tasks. */
  readonly activities?: readonly Activity[];
}

export interface Accounted {
  /** Milliseconds of all workers together. */
  readonly split: Split;
  /** (sum of the parts - whole) / whole: not 0 where tasks overlap, lie outside of their call, or lack parts. */
  readonly error: number;
}

/** How far the sum of the parts may be from the whole in a measurement that can be trusted. */
export const TOLERANCE = 0.03;

/** Every part is measured by itself; none is the rest of the others, so the sum is a check. */
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

/** Between two calls. */
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
    // As with tasks: what overlaps must show in the sum.
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

/** The part of a call before `end`. */
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

/** Milliseconds of tasks in which they waited for nothing but a core. */
export const computing = (calls: readonly Call[]): number =>
  calls
    .flatMap(({ tasks }) => tasks)
    .reduce((sum, { began, ended, parts }) => {
      const waited = parts.reduce((total, [part, milliseconds]) => total + (part === 'wait' ? milliseconds : 0), 0);
      return sum + ended - began - waited;
    }, 0);

/** The splits of several processes over the same interval, added. whole: milliseconds of all their workers together. */
export function together(splits: readonly Split[], whole: number): Accounted {
  const split = splitBy((share) => splits.reduce((sum, each) => sum + each[share], 0));
  return { split, error: (sumOf(split) - whole) / whole };
}

/** Each share of a split times `factor`. */
export const scaled = (split: Split, factor: number): Split => splitBy((share) => split[share] * factor);

/**
 * The same time, each instant of it once, in order: it counts as the first of ACTIVITIES that went on then. What is
 * done counts before what is waited for.
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
