// Tests medians and their confidence intervals.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf, Stream } from '../../../src/random.js';
import { estimate, median } from '../../../src/scaling/bootstrap.js';

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 12 });

describe('a median', () => {
  it.each([
    [[5], 5],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[1, 1, 100], 1],
  ])('of %j is %d', (of, expected) => {
    expect(median(of)).toBe(expected);
  });

  it('has no value for no values', () => {
    expect(median([])).toBeNaN();
  });
});

describe('a confidence interval', () => {
  it('is the same for the same seed, lies among the values, and has the median in it', () => {
    fc.assert(
      fc.property(values, fc.nat(), (of, seed) => {
        const { value, low, high } = estimate(of, median, seed);
        expect(estimate(of, median, seed)).toEqual({ value, low, high });
        expect(value).toBe(median(of));
        if (of.length === 1) {
          expect([low, high]).toEqual([undefined, undefined]);
          return;
        }
        expect(low).toBeGreaterThanOrEqual(Math.min(...of));
        expect(high).toBeLessThanOrEqual(Math.max(...of));
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
      }),
      { numRuns: 50 },
    );
  });

  it('is a point where all values are the same', () => {
    expect(estimate([7, 7, 7], median, 1)).toEqual({ value: 7, low: 7, high: 7 });
  });

  it('holds the true median in about 95 of 100 samples', () => {
    const stream = new Stream(keyOf(8, 'split', 1));
    const trials = 200;
    let held = 0;
    for (let trial = 0; trial < trials; trial++) {
      const sample = Array.from({ length: 25 }, () => stream.normal());
      const { low, high } = estimate(sample, median, trial);
      held += Number(low! <= 0 && high! >= 0);
    }
    // The percentile interval of a median is a little wide; 3 deviations of a binomial of 0.95 are 4.6 %.
    expect(held / trials).toBeGreaterThan(0.9);
  });

  it('draws whole rounds, so that what is compared in a round stays together', () => {
    const rounds = [1, 5, 2, 9, 3].map((noise) => ({ a: 2 * noise, b: noise }));
    const ratio = (from: typeof rounds) => median(from.map(({ a }) => a)) / median(from.map(({ b }) => b));
    expect(estimate(rounds, ratio as (from: readonly { a: number; b: number }[]) => number, 1)).toEqual({
      value: 2,
      low: 2,
      high: 2,
    });
  });
});
