// The balance of the classes among pseudo-labels.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalShares, logitShift, nextShares } from '../../src/balance.js';

/** Sums of probabilities that are floats: 0, or nowhere near where the precision of doubles ends. */
const masses = fc.array(fc.float({ min: 0, max: 300, noNaN: true }), { minLength: 2, maxLength: 20 });

describe('class shares', () => {
  it('stay shares: not negative, and 1 in sum', () => {
    fc.assert(
      fc.property(masses, fc.double({ min: 0, max: 0.999, noNaN: true }), (seen, momentum) => {
        const shares = nextShares(equalShares(seen.length), seen, momentum);
        expect(shares.every((share) => share >= 0)).toBe(true);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      }),
    );
  });

  it('move by 1 - momentum to those of the step', () => {
    expect(nextShares([0.5, 0.5], [30, 10], 0.9)).toEqual([
      0.9 * 0.5 + ((1 - 0.9) * 30) / 40,
      0.9 * 0.5 + ((1 - 0.9) * 10) / 40,
    ]);
    expect(nextShares([0.5, 0.5], [30, 10], 0)).toEqual([0.75, 0.25]);
  });

  it('do not move in a step without fresh pseudo-labels', () => {
    expect(nextShares([0.2, 0.8], [], 0.9)).toEqual([0.2, 0.8]);
    expect(nextShares([0.2, 0.8], [0, 0], 0.9)).toEqual([0.2, 0.8]);
  });
});

describe('the shift of the logits', () => {
  it('is nothing while shares are equal', () => {
    expect([...logitShift(equalShares(4))].map(Math.abs)).toEqual([0, 0, 0, 0]);
  });

  it('divides the odds of classes by their shares', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 5, max: 400 }), { minLength: 2, maxLength: 9 }), (counts) => {
        const total = counts.reduce((sum, count) => sum + count, 0);
        const shift = logitShift(counts.map((count) => count / total));
        for (const [c, count] of counts.entries()) {
          expect(Math.exp(shift[c]! - shift[0]!)).toBeCloseTo(counts[0]! / count, 3);
        }
      }),
    );
  });

  it('is bounded for a class that has vanished', () => {
    const [gone, all] = logitShift([0, 1]) as unknown as [number, number];
    expect(Math.exp(gone - all)).toBeCloseTo(1000, 2);
  });
});
