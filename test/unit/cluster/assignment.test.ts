// Tests which machine computes which shards: each shard once, in proportion to speed, and moved only if it is worth it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assign, isWorthMoving } from '../../../coordinator/executors/assignment.js';

const speeds = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 12 });
const counts = fc.integer({ min: 1, max: 300 });

describe('assign', () => {
  it('gives out everything once, in order', () => {
    fc.assert(
      fc.property(counts, speeds, (count, each) => {
        const ends = assign(count, each);
        expect(ends).toHaveLength(each.length);
        expect(ends.at(-1)).toBe(count);
        expect(ends.every((end, i) => Number.isInteger(end) && end >= (ends[i - 1] ?? 0) && end <= count)).toBe(true);
      }),
    );
  });

  it('gives each its share, within one and a twentieth of it at each end', () => {
    fc.assert(
      fc.property(counts, speeds, (count, each) => {
        const total = each.reduce((a, b) => a + b);
        assign(count, each).forEach((end, i, ends) => {
          const share = (count * each[i]!) / total;
          const given = end - (ends[i - 1] ?? 0);
          expect(Math.abs(given - share)).toBeLessThanOrEqual(1 + 0.1 * share + 1e-9);
        });
      }),
    );
  });

  it.each([
    [4, [1, 1], [2, 4]],
    [4, [2, 1], [3, 4]],
    [3, [1, 1, 1, 1], [1, 2, 2, 3]],
    [64, [1, 1, 1], [22, 42, 64]],
    [64, [31, 33], [32, 64]],
    [10, [1, 1e-6], [10, 10]],
  ] as const)('cuts %i for speeds %j at %j', (count, each, ends) => {
    expect(assign(count, each)).toEqual(ends);
  });
});

describe('isWorthMoving', () => {
  it('is false for what assign gives, and for speeds that differ little from those it was given for', () => {
    fc.assert(
      fc.property(counts, speeds, (count, each) => {
        expect(isWorthMoving(assign(count, each), each)).toBe(false);
      }),
    );
    expect(isWorthMoving([50, 100], [1, 1.1])).toBe(false);
  });

  it('is true where a straggler holds up the others', () => {
    expect(isWorthMoving([50, 100], [1, 0.5])).toBe(true);
    expect(isWorthMoving([2, 4], [1, 0.3])).toBe(true);
  });
});
