// Tests properties of the spreading of labels, against a dense solution, and of the balance.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balanced, distributions, predictedShares, sureLabels } from '../../../src/graph/balance.js';
import type { Neighbours } from '../../../src/graph/neighbours.js';
import { graphOf, spreadLabels } from '../../../src/graph/spread.js';

const ROWS = 7;
const K = 2;

/** Generates any neighbours of ROWS rows, none its own, with any cosines. */
const neighbours = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: ROWS - 1 }), { minLength: ROWS * K, maxLength: ROWS * K }),
    fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: ROWS * K, maxLength: ROWS * K }),
  )
  .map(([steps, cosines]): Neighbours => {
    const rows = Uint32Array.from(steps, (step, e) => (Math.floor(e / K) + step) % ROWS);
    return { rows, cosines: Float32Array.from(cosines) };
  });

/** Returns S as a matrix, by its definition and without the code under test. */
function denseOf({ rows, cosines }: Neighbours): number[][] {
  const w = Array.from({ length: ROWS }, () => new Array<number>(ROWS).fill(0));
  rows.forEach((j, e) => {
    const i = Math.floor(e / K);
    const weight = Math.max(0, cosines[e]!) ** 3;
    w[i]![j]! += weight;
    w[j]![i]! += weight;
  });
  const d = w.map((row) =>
    Math.max(
      row.reduce((sum, each) => sum + each, 0),
      1e-9,
    ),
  );
  return w.map((row, i) => row.map((each, j) => each / Math.sqrt(d[i]! * d[j]!)));
}

/** Returns x of a x = b, by Gauss and Jordan with pivots. */
function solved(a: number[][], b: number[]): number[] {
  const rows = a.map((row, i) => [...row, b[i]!]);
  for (let p = 0; p < rows.length; p++) {
    const best = rows.findIndex(
      (row, i) => i >= p && Math.abs(row[p]!) === Math.max(...rows.slice(p).map((r) => Math.abs(r[p]!))),
    );
    [rows[p], rows[best]] = [rows[best]!, rows[p]!];
    for (const [i, row] of rows.entries()) {
      if (i === p) continue;
      const factor = row[p]! / rows[p]![p]!;
      rows[i] = row.map((each, j) => each - factor * rows[p]![j]!);
    }
  }
  return rows.map((row, i) => row.at(-1)! / row[i]!);
}

describe('labels that spread over a graph', () => {
  it('settle where (I - alpha S) Z = (1 - alpha) Y', async () => {
    await fc.assert(
      fc.asyncProperty(neighbours, fc.integer({ min: 0, max: ROWS - 1 }), async (found, seed) => {
        const y = new Float64Array(ROWS * 2);
        y[seed * 2] = 1;
        y[((seed + 3) % ROWS) * 2 + 1] = 1;
        const z = await spreadLabels(graphOf(found, ROWS), y, { alpha: 0.8, iterations: 200 });
        const s = denseOf(found);
        const system = s.map((row, i) => row.map((each, j) => Number(i === j) - 0.8 * each));
        for (const c of [0, 1]) {
          const expected = solved(
            system,
            Array.from({ length: ROWS }, (_, i) => 0.2 * y[i * 2 + c]!),
          );
          expected.forEach((value, i) => {
            expect(z[i * 2 + c]).toBeCloseTo(value, 8);
          });
        }
      }),
    );
  });

  it('stay where they are in a graph without edges', async () => {
    const graph = graphOf({ rows: Uint32Array.of(1, 0), cosines: Float32Array.of(-1, 0) }, 2);
    const z = await spreadLabels(graph, Float64Array.of(1, 0, 0, 0), { alpha: 0.5, iterations: 9 });
    expect([...z]).toEqual([0.5, 0, 0, 0]);
  });
});

const CLASSES = 3;
const masses = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), {
  minLength: 12 * CLASSES,
  maxLength: 12 * CLASSES,
});

describe('the balance of classes', () => {
  it('gives every class its share, and every row a whole', () => {
    const shares = fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: CLASSES, maxLength: CLASSES });
    fc.assert(
      fc.property(masses, shares, (values, given) => {
        const total = given.reduce((sum, each) => sum + each, 0);
        const wanted = given.map((share) => share / total);
        const q = balanced(distributions(Float64Array.from(values), CLASSES), CLASSES, wanted);
        for (let row = 0; row < 12; row++)
          expect(q.subarray(row * CLASSES, (row + 1) * CLASSES).reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 9);
        wanted.forEach((share, c) => {
          const sum = q.reduce((all, each, i) => all + (i % CLASSES === c ? each : 0), 0);
          expect(sum / 12).toBeCloseTo(share, 1);
        });
      }),
    );
  });

  it('does nothing where there are no shares', () => {
    const q = distributions(Float64Array.of(3, 1, 0, 4), 2);
    expect([...balanced(q, 2, undefined)]).toEqual([0.75, 0.25, 0, 1]);
  });

  it('is finite where a class has no share, or nothing has reached a row', () => {
    const q = balanced(distributions(Float64Array.of(0, 0, 1, 0), 2), 2, [1, 0]);
    expect([...q].every(Number.isFinite)).toBe(true);
  });
});

describe('predicted shares', () => {
  it('are those of the likeliest classes, and leave no class without any', () => {
    const m = Float32Array.of(0.6, 0.3, 0.1, 0.5, 0.4, 0.1, 0.2, 0.7, 0.1);
    expect(predictedShares(m, 3)).toEqual([3 / 6, 2 / 6, 1 / 6]);
  });
});

describe('a label', () => {
  it('is the likeliest class, of equals the first, and weighs nothing where all are as likely', () => {
    const { classes, weights } = sureLabels(distributions(Float64Array.of(0, 0, 0, 0, 2, 0, 1, 1, 2), 3), 3);
    expect([...classes]).toEqual([0, 1, 2]);
    expect(weights[0]).toBeCloseTo(0, 6);
    expect(weights[1]).toBe(1);
    expect(weights[2]).toBeGreaterThan(0);
  });
});
