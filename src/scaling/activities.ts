// Owns what a process did when it did several things at once: of what overlaps, one at a time.
import { ACTIVITIES, type Activity } from '../engine/timeline.js';

/**
 * The same time, each instant of it once, in order: it counts as the first of ACTIVITIES that went on then. What is done counts before what is
 * waited for.
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
