// Tests the contract of a collective (src/collectives/collective.ts), for every implementation.
import { describe, expect, it } from 'vitest';
import type { Found } from './collective-work.mjs';

/** Declares the tests. results: returns what collective-work.mjs found at each of this number of ranks. */
export function describeCollective(name: string, results: (size: number) => Promise<readonly Found[]>): void {
  describe(name, () => {
    it.each([1, 2, 3])('tells, exchanges and sums among %i', async (size) => {
      const found = (await results(size)).toSorted((a, b) => a.rank - b.rank);
      const ranks = Array.from({ length: size }, (_, rank) => rank);
      expect(found).toEqual(
        ranks.map((rank) => {
          const others = ranks.filter((other) => other !== rank);
          const exchanged = others.flatMap((other) => [
            [other, 3, 10 * other + rank],
            [other, 300_000, 100 + 10 * other + rank],
          ]);
          const sum = (size * (size + 1)) / 2;
          return { rank, size, told: [7, 8], exchanged, gathered: rank === 0 ? others : [], sums: [sum, sum] };
        }),
      );
    });
  });
}
