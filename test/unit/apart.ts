// Owns what places in shared memory have to be: aligned, and apart from each other.
import { expect } from 'vitest';

/** Fails where one begins before the one before it ends, or off a multiple of 64. */
export function expectApart(ranges: readonly (readonly [start: number, bytes: number])[]): void {
  const sorted = ranges.toSorted(([a], [b]) => a - b);
  sorted.forEach(([start], i) => {
    expect(start % 64).toBe(0);
    const [last, length] = sorted[i - 1] ?? [0, 0];
    expect(start).toBeGreaterThanOrEqual(last + length);
  });
}
