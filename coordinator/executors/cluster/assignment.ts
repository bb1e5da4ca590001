// Owns who computes which shards: contiguous ranges in proportion to speed. Pure. Results never depend on it, only time and traffic do.

/** How much of a range's size may be given up for a boundary that whole subtrees end at, of which fewer partial sums travel. */
const SLACK = 0.05;
/** Shards stay where they are unless a step gets faster by this part: their images have to move. */
const WORTH_MOVING = 0.15;

/**
 * Cuts [0, count) into contiguous ranges, one for each speed, in order, some perhaps empty.
 * @param speeds of the members, in any unit, above 0
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

/** Whether `ends` of before is so much slower than a new assignment that shards should move. */
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
