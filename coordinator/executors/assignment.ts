// Assigns contiguous ranges of shards to machines in proportion to their speeds. Results never depend on the
// assignment; only time and traffic do.
import { shardRange } from '../../src/data/shards.js';
import type { ArenaShape } from '../../src/engine/arena.js';

/**
 * The part of a range's size by which a boundary may move so that whole subtrees end at it. Then fewer partial sums are
 * sent.
 */
const SLACK = 0.05;
/** Shards are only moved if a step gets faster by this part, because their images have to move too. */
const WORTH_MOVING = 0.15;

/**
 * Splits [0, count) into contiguous ranges in order, one for each speed. Some may be empty.
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

/** Returns whether an assignment with these ends is so much slower than a new one that shards should move. */
export function isWorthMoving(ends: readonly number[], speeds: readonly number[]): boolean {
  const next = assign(ends.at(-1)!, speeds);
  return duration(next, speeds) < (1 - WORTH_MOVING) * duration(ends, speeds);
}

/** Returns the time that the slowest range takes. */
function duration(ends: readonly number[], speeds: readonly number[]): number {
  return Math.max(...ends.map((end, i) => (end - (ends[i - 1] ?? 0)) / speeds[i]!));
}

/**
 * Returns the whole number near `ideal` that is divisible by the largest power of two. Of several it takes the nearest.
 */
function boundary(ideal: number, tolerance: number): number {
  let best = Math.round(ideal);
  for (let candidate = Math.ceil(ideal - tolerance); candidate <= ideal + tolerance; candidate++) {
    const gain = evenness(candidate) - evenness(best);
    if (gain > 0 || (gain === 0 && Math.abs(candidate - ideal) < Math.abs(best - ideal))) best = candidate;
  }
  return best;
}

/** Returns the exponent of two in a number. For 0 it returns more than for any other number. */
const evenness = (value: number): number => (value === 0 ? 64 : 31 - Math.clz32(value & -value));

/** A machine that computes. speed: rows per millisecond; undefined before it is measured. */
interface Measured {
  readonly workers: number;
  readonly speed: number | undefined;
}

/**
 * Returns the speed of each machine. A machine that has not been measured counts as the median of the others, per
 * worker.
 */
export function speedsOf(machines: readonly Measured[]): number[] {
  const known = machines.flatMap(({ speed, workers }) => (speed === undefined ? [] : [speed / workers]));
  const typical = known.toSorted((a, b) => a - b)[known.length >> 1] ?? 1;
  return machines.map(({ speed, workers }) => speed ?? typical * workers);
}

export const areSame = (a: readonly object[], b: readonly object[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);

/**
 * Keeps the shards of a run where they are, until a machine joins or leaves or one turns out to be much slower than
 * expected.
 */
export class Placement {
  private current: { readonly machines: readonly Measured[]; readonly ends: readonly number[] } | undefined;

  /** shards: the number of shards of the run. */
  constructor(private readonly shards: number) {}

  /** Returns the ends of the machines' ranges of this number of items. Only the full set of shards keeps its places. */
  ends(count: number, machines: readonly Measured[]): readonly number[] {
    const speeds = speedsOf(machines);
    if (count !== this.shards) return assign(count, speeds);
    const { current } = this;
    if (current && areSame(machines, current.machines) && !isWorthMoving(current.ends, speeds)) return current.ends;
    const ends = assign(count, speeds);
    this.current = { machines, ends };
    return ends;
  }
}

/** Returns the unlabelled images [start, end) that the last machine, which has just joined, is likely to need. */
export function firstImages(
  { shards, unlabelled, tensorShardBytes = 0 }: ArenaShape,
  machines: readonly Measured[],
): readonly [number, number] {
  // Every tensor shard sees all rows.
  if (tensorShardBytes > 0) return [0, unlabelled];
  const [start] = shardRange(unlabelled, shards, assign(shards, speedsOf(machines)).at(-2) ?? 0);
  return [start, unlabelled];
}
