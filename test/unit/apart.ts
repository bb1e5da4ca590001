// Expects that places in shared memory are aligned, and apart from each other.
import { expect } from 'vitest';

/** Fails if a range begins before the previous one ends, or not at a multiple of 64. */
export function expectApart(ranges: readonly (readonly [start: number, bytes: number])[]): void {
  const sorted = ranges.toSorted(([a], [b]) => a - b);
  sorted.forEach(([start], i) => {
    expect(start % 64).toBe(0);
    const [last, length] = sorted[i - 1] ?? [0, 0];
    expect(start).toBeGreaterThanOrEqual(last + length);
  });
}
