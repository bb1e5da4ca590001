// Tests batches of ranges: each image once, in order, and no batch too long.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { batchesOf } from '../../../coordinator/executors/prediction.js';

const ranges = fc.array(
  fc.tuple(fc.nat(50), fc.nat(40)).map(([start, length]) => [start, start + length] as const),
  { maxLength: 8 },
);

const elements = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i);

it('batchesOf covers every range once, in order, cut at whole units, in batches of which all but the last are full', () => {
  fc.assert(
    fc.property(ranges, fc.integer({ min: 1, max: 9 }), fc.nat(51), (of, unit, more) => {
      const most = unit + more;
      const batches = batchesOf(of, most, unit);
      const covered = of.map((_, range) =>
        batches.flat().flatMap((piece) => (piece.range === range ? elements(piece.start, piece.end) : [])),
      );
      expect(covered).toEqual(of.map(([start, end]) => elements(start, end)));
      const sizes = batches.map((batch) => batch.reduce((sum, { start, end }) => sum + end - start, 0));
      expect(sizes.slice(0, -1).every((size) => size > most - unit)).toBe(true);
      for (const { range, start } of batches.flat()) expect((start - of[range]![0]) % unit).toBe(0);
      expect(sizes.every((size) => size > 0 && size <= most)).toBe(true);
    }),
  );
});
