// Who computes what: contiguous ranges of shards in proportion to speed. Results never depend on it, only time and traffic do.
import { shardRange } from '../../src/data/shards.js';
import type { ArenaShape } from '../../src/engine/arena.js';

/** How much of a range's size may be given up for a boundary that whole subtrees end at, of which fewer partial sums travel. */
const SLACK = 0.05;
/** Shards stay where they are unless a step gets faster by this part: their images have to move. */
const WORTH_MOVING = 0.15;

/**
 * Cuts [0, count) into contiguous ranges, one for each speed, in order, some perhaps empty.
 * @param speeds in any unit, above 0
 * @returns the ends of the ranges
 */
export function assign(count: number, speeds: readonly number[]): number[] {
  const total = speeds.reduce((sum, speed) => sum + speed, 0);
  const share = (speed: number) => (count * speed) / total;
  let before = 0;
  let last = 0;
  return speeds.map((speed, i) => {
    before += speed;
    if (i === speeds.length - 1) return count;
    const tolerance = SLACK * Math.min(share(speed), share(speeds[i + 1]!));
    last = Math.max(last, boundary(share(before), tolerance));
    return last;
  });
}

/** Whether an assignment with these ends is so much slower than a new one that shards should move. */
export function isWorthMoving(ends: readonly number[], speeds: readonly number[]): boolean {
  const next = assign(ends.at(-1)!, speeds);
  return duration(next, speeds) < (1 - WORTH_MOVING) * duration(ends, speeds);
}

/** How long the slowest range takes. */
function duration(ends: readonly number[], speeds: readonly number[]): number {
  return Math.max(...ends.map((end, i) => (end - (ends[i - 1] ?? 0)) / speeds[i]!));
}

/** The whole number near `ideal` that is divisible by the largest power of two, or, of several, the nearest. */
function boundary(ideal: number, tolerance: number): number {
  let best = Math.round(ideal);
  for (let candidate = Math.ceil(ideal - tolerance); candidate <= ideal + tolerance; candidate++) {
    const gain = evenness(candidate) - evenness(best);
    if (gain > 0 || (gain === 0 && Math.abs(candidate - ideal) < Math.abs(best - ideal))) best = candidate;
  }
  return best;
}

/** The exponent of two in a number; of 0, more than any. */
const evenness = (value: number): number => (value === 0 ? 64 : 31 - Math.clz32(value & -value));

/** A machine that computes. speed: rows by milliseconds; undefined before it is measured. */
interface Measured {
  readonly workers: number;
  readonly speed: number | undefined;
}

/** The speed of each. Those who have not been measured are taken to be as fast, by workers, as the median of the others. */
export function speedsOf(members: readonly Measured[]): number[] {
  const known = members.flatMap(({ speed, workers }) => (speed === undefined ? [] : [speed / workers]));
  const typical = known.toSorted((a, b) => a - b)[known.length >> 1] ?? 1;
  return members.map(({ speed, workers }) => speed ?? typical * workers);
}

export const areSame = (a: readonly object[], b: readonly object[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);

/** Where a run's shards are: they stay there as long as nobody comes or goes, and nobody is much slower than thought. */
export class Placement {
  private current: { readonly members: readonly Measured[]; readonly ends: readonly number[] } | undefined;

  /** shards: of the run. */
  constructor(private readonly shards: number) {}

  /** The ends of the members' ranges of so many items. Only all shards together have a place that they keep. */
  ends(count: number, members: readonly Measured[]): readonly number[] {
    const speeds = speedsOf(members);
    if (count !== this.shards) return assign(count, speeds);
    const { current } = this;
    if (current && areSame(members, current.members) && !isWorthMoving(current.ends, speeds)) return current.ends;
    const ends = assign(count, speeds);
    this.current = { members, ends };
    return ends;
  }
}

/** The unlabelled images [start, end) that the last of the members, which has just come, is likely to need. */
export function firstImages(
  { shards, unlabelled, tensorShardBytes = 0 }: ArenaShape,
  members: readonly Measured[],
): readonly [number, number] {
  // Every tensor shard sees all rows.
  if (tensorShardBytes > 0) return [0, unlabelled];
  const [start] = shardRange(unlabelled, shards, assign(shards, speedsOf(members)).at(-2) ?? 0);
  return [start, unlabelled];
}
