// Tests deadlines: neither too short nor too long, in proportion to the work, and not changed much by a single slow
// time.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadlines } from '../../../coordinator/executors/cluster/deadlines.js';

const bounds = { least: 100, most: 10_000 };

function after(times: readonly number[], units = 10): Deadlines {
  const deadlines = new Deadlines(bounds);
  for (const time of times) deadlines.record('gradients', units, time);
  return deadlines;
}

describe('Deadlines', () => {
  it('wait the most before they know', () => {
    expect(after([]).limit('gradients', 1)).toBe(10_000);
    expect(after([5, 5, 5]).limit('gradients', 1)).toBe(10_000);
    expect(after([5, 5, 5, 5]).limit('update', 1)).toBe(10_000);
  });

  it('stay within their bounds whatever they were told', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e9, noNaN: true })), fc.nat(1e6), (times, units) => {
        const limit = after(times).limit('gradients', units);
        expect(limit).toBeGreaterThanOrEqual(100);
        expect(limit).toBeLessThanOrEqual(10_000);
      }),
    );
  });

  it('follow the work and what it took', () => {
    const deadlines = after([190, 200, 210, 200, 195, 205]);
    expect(deadlines.limit('gradients', 10)).toBeGreaterThan(205);
    expect(deadlines.limit('gradients', 10)).toBeLessThan(300);
    expect(deadlines.limit('gradients', 100)).toBeCloseTo(10 * deadlines.limit('gradients', 10));
  });

  it('are not moved by a few times that were far out, and forget the old ones', () => {
    const steady = Array.from({ length: 20 }, (_, i) => 200 + (i % 3));
    expect(after([...steady, 5000, 5000]).limit('gradients', 10)).toBeLessThan(230);
    expect(after([...Array(40).fill(5000), ...Array(32).fill(200)]).limit('gradients', 10)).toBe(200);
  });
});
