// Tests the division into shards: it is a partition, exact for any size.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shardRange } from '../../../src/data/shards.js';

describe('shardRange', () => {
  it('covers everything once, in order, in parts that differ by one at most', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: 1, max: 300 }), (total, shards) => {
        const ranges = Array.from({ length: shards }, (_, shard) => shardRange(total, shards, shard));
        let end = 0;
        for (const range of ranges) {
          expect(range[0]).toBe(end);
          end = range[1];
        }
        expect(end).toBe(total);
        const sizes = ranges.map(([from, to]) => to - from);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is exact where shard * total is beyond 2^53', () => {
    const cases = fc
      .tuple(fc.maxSafeNat(), fc.integer({ min: 1, max: 2 ** 26 }))
      .chain(([total, shards]) => fc.tuple(fc.constant(total), fc.constant(shards), fc.nat(shards - 1)));
    fc.assert(
      fc.property(cases, ([total, shards, shard]) => {
        const exact = (index: number) => Number((BigInt(index) * BigInt(total)) / BigInt(shards));
        expect(shardRange(total, shards, shard)).toEqual([exact(shard), exact(shard + 1)]);
      }),
    );
  });
});
