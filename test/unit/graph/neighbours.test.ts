// Tests nearest neighbours against a search by hand, and that they do not depend on who searches.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blocksOf, nearest } from '../../../src/graph/neighbours.js';
import { Rows } from '../../../src/graph/rows.js';
import { Stream } from '../../../src/random.js';

function rowsOf(count: number, columns: number, values: (i: number) => number): Rows {
  const rows = Rows.allocate({ count, columns, workspaces: 2 });
  rows.write(
    0,
    Float32Array.from({ length: count * columns }, (_, i) => values(i)),
  );
  return rows;
}

/** Finds neighbours by their products in double precision. */
function byHand(rows: Rows, row: number, k: number): number[] {
  const { count, columns } = rows.shape;
  const values = rows.read(0, count);
  const cosine = (other: number): number => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += values[row * columns + c]! * values[other * columns + c]!;
    return sum;
  };
  const others = Array.from({ length: count }, (_, other) => other).filter((other) => other !== row);
  return others
    .map((other) => [other, cosine(other)] as const)
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, k)
    .map(([other]) => other);
}

describe('nearest neighbours', () => {
  it('are those of a search by hand, of equals the lower', () => {
    // The values are whole numbers, so products are exact, and many are equal.
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.nat(),
        (count, columns, seed) => {
          const stream = new Stream(Uint32Array.of(seed, 1, 2, 3));
          const rows = rowsOf(count, columns, () => Math.floor(stream.uniform() * 3) - 1);
          const { rows: found } = nearest(rows, [0, blocksOf(count)], 3, 1);
          for (let row = 0; row < count; row++)
            expect([...found.subarray(row * 3, row * 3 + 3)]).toEqual(byHand(rows, row, 3));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('have the same bits whoever looks for which blocks', () => {
    const stream = new Stream(Uint32Array.of(7, 1, 2, 3));
    const rows = rowsOf(2300, 24, () => stream.uniform() - 0.5);
    const whole = nearest(rows, [0, 9], 5, 0);
    const parts = [nearest(rows, [0, 4], 5, 1), nearest(rows, [4, 5], 5, 0), nearest(rows, [5, 9], 5, 1)];
    expect(Buffer.concat(parts.map(({ rows }) => new Uint8Array(rows.buffer)))).toEqual(Buffer.from(whole.rows.buffer));
    expect(Buffer.concat(parts.map(({ cosines }) => new Uint8Array(cosines.buffer)))).toEqual(
      Buffer.from(whole.cosines.buffer),
    );
    for (const row of [0, 255, 256, 1023, 1024, 2299])
      expect([...whole.rows.subarray(row * 5, row * 5 + 5)]).toEqual(byHand(rows, row, 5));
  });
});
