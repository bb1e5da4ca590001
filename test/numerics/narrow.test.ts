// Tests the three products of a narrow layer against sums in double precision, at sizes that are not multiples of
// anything.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { scratch } from './scratch.js';
import { uniform } from './shard-task.js';

const sizes = fc.record({
  inputs: fc.integer({ min: 1, max: 21 }),
  units: fc.integer({ min: 1, max: 9 }),
  rows: fc.integer({ min: 1, max: 45 }),
  seed: fc.nat(),
});

/** Expects sums of products, each at most 1. */
function expectSums(found: Float32Array, columns: number, sum: (row: number, column: number) => number): void {
  found.forEach((value, at) => {
    expect(Math.abs(value - sum(Math.floor(at / columns), at % columns))).toBeLessThan(1e-5);
  });
}

const sumTo = (n: number, term: (k: number) => number): number =>
  Array.from({ length: n }, (_, k) => term(k)).reduce((a, b) => a + b, 0);

it('a narrow layer multiplies inputs by weights, and gradients by both', () => {
  fc.assert(
    fc.property(sizes, ({ inputs, units, rows, seed }) => {
      const { kernel, floats } = scratch();
      const next = uniform(seed);
      const random = (n: number) => floats(Float32Array.from({ length: n }, () => 2 * next() - 1));
      const [x, w, dz] = [random(inputs * rows), random(units * inputs), random(units * rows)];
      // Earlier values must not be part of any sum.
      const [z, dw, dx] = [random(units * rows), random(units * inputs), random(inputs * rows)];
      kernel.narrowForward(x.byteOffset, inputs, rows, w.byteOffset, units, z.byteOffset);
      expectSums(z, rows, (j, r) => sumTo(inputs, (i) => w[j * inputs + i]! * x[i * rows + r]!));
      kernel.narrowKernelGradient(x.byteOffset, inputs, rows, dz.byteOffset, units, dw.byteOffset);
      expectSums(dw, inputs, (j, i) => sumTo(rows, (r) => x[i * rows + r]! * dz[j * rows + r]!));
      kernel.narrowInputGradient(w.byteOffset, inputs, dz.byteOffset, units, rows, dx.byteOffset);
      expectSums(dx, rows, (i, r) => sumTo(units, (j) => w[j * inputs + i]! * dz[j * rows + r]!));
    }),
  );
});
