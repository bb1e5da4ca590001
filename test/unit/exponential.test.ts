// Tests the exponential function that has the same bits on every machine.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { exponential } from '../../src/exponential.js';

it('is that of Math.exp, to 14 digits', () => {
  fc.assert(
    fc.property(fc.double({ min: -100, max: 80, noNaN: true }), (x) => {
      expect(Math.abs(exponential(x) / Math.exp(x) - 1)).toBeLessThan(1e-14);
    }),
  );
});

it('is exact at 0, 0 far below, and NaN of NaN', () => {
  expect([0, -105, -Infinity, Number.NaN].map(exponential)).toEqual([1, 0, 0, Number.NaN]);
});
