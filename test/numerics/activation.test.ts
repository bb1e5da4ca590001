// Tests the kernel's passes over a hidden layer and the output's bias: what they compute, and the bounds that `finite`
// depends on.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dropoutOf } from '../../src/models/dense/layer.js';
import { dropoutFactors, states, withRoom } from './lane-generator.js';
import { scratch } from './scratch.js';
import { uniform } from './shard-task.js';

interface Sizes {
  readonly units: number;
  /** A multiple of 8. */
  readonly rows: number;
}

/** Returns values of ordinary size, and some of either sign that are much larger. */
function spiked({ units, rows }: Sizes, seed: number): Float32Array {
  const next = uniform(seed);
  const values = Float32Array.from({ length: units * rows }, () => 2 * next() - 1);
  for (let spikes = Math.floor(4 * next()); spikes > 0; spikes--) {
    const position = Math.floor(next() * values.length);
    values[position] = values[position]! * 1e6;
  }
  return values;
}

const sizes = fc.record({
  units: fc.integer({ min: 1, max: 7 }),
  rows: fc.integer({ min: 1, max: 4 }).map((n) => 8 * n),
});
const rates = fc.constantFrom(0, 0.2, 0.5);

/** Returns the scale in single precision, as the kernel takes it. */
function singlePrecision(rate: number) {
  const { keep, scale } = dropoutOf(rate, 0);
  return { keep, scale: Math.fround(scale) };
}

const rowsOf = (values: ArrayLike<number>, { units, rows }: Sizes): number[][] =>
  Array.from({ length: units }, (_, u) => Array.from({ length: rows }, (__, r) => values[u * rows + r]!));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('a hidden layer', () => {
  function forward(values: Float32Array, bias: Float32Array, rows: number, rate: number) {
    const { kernel, floats, words } = scratch();
    const { keep, scale } = singlePrecision(rate);
    const z = floats(values);
    const random = words(withRoom(states(8)));
    const addresses = [z.byteOffset, floats(bias).byteOffset] as const;
    const bound = kernel.reluDropout(...addresses, bias.length, rows, keep, scale, random.byteOffset);
    const activations = values.map((value, i) => Math.max(Math.fround(value + bias[Math.floor(i / rows)]!), 0) * scale);
    return { z, bound, activations, state: random.subarray(0, 16) };
  }

  it('is max(z + bias, 0), then dropped out, with a bound of all its activations that is not larger than their sum', () => {
    fc.assert(
      fc.property(sizes, rates, fc.nat(), ({ units, rows }, rate, seed) => {
        const bias = spiked({ units, rows: 1 }, seed + 1);
        const { z, bound, activations } = forward(spiked({ units, rows }, seed), bias, rows, rate);
        const factors = dropoutFactors(states(8), units * rows, dropoutOf(rate, 0));
        expect(z).toEqual(activations.map((value, i) => (rate === 0 || factors[i]! > 0 ? value : 0)));
        expect(bound).toBeGreaterThanOrEqual(Math.max(...z));
        expect(bound).toBeLessThanOrEqual(1.001 * sum([...activations]));
      }),
    );
  });

  it('draws nothing where all is kept', () => {
    const sizesOfOne = { units: 3, rows: 16 };
    expect(forward(spiked(sizesOfOne, 1), new Float32Array(3), 16, 0).state).toEqual(states(8));
    expect(forward(spiked(sizesOfOne, 1), new Float32Array(3), 16, 0.5).state).not.toEqual(states(8));
  });

  it('keeps a NaN, so that it reaches the loss, and bounds nothing by it', () => {
    for (const rate of [0, 0.5]) {
      const values = new Float32Array(32).fill(Number.NaN, 20, 21);
      const { z, bound } = forward(values, new Float32Array(2), 16, rate);
      expect(bound).toBeNaN();
      expect(z.filter(Number.isNaN).length).toBe(
        rate === 0 || dropoutFactors(states(8), 32, dropoutOf(rate, 0))[20]! > 0 ? 1 : 0,
      );
    }
  });
});

describe('the gradient of a layer', () => {
  const largestSum = (rows: readonly number[][]) => Math.max(...rows.map((row) => sum(row.map(Math.abs))));

  it('passes where the activation was positive, and comes with its sums and a bound of their magnitudes', () => {
    fc.assert(
      fc.property(sizes, rates, fc.nat(), (size, rate, seed) => {
        const { kernel, floats } = scratch();
        const { scale } = singlePrecision(rate);
        const activations = spiked(size, seed).map((value) => Math.max(value, 0));
        const above = spiked(size, seed + 1);
        const dz = floats(above);
        const bias = floats(new Float32Array(size.units).fill(Number.NaN));
        const { units, rows } = size;
        const h = floats(activations).byteOffset;
        const bound = kernel.reluDropoutGradient(dz.byteOffset, h, units, rows, scale, bias.byteOffset);
        expect(dz).toEqual(above.map((value, i) => (activations[i]! > 0 ? value * scale : 0)));
        expectSums(bias, rowsOf(dz, size));
        expect(bound / largestSum(rowsOf(dz, size)) || 1).toBeCloseTo(1, 5);
      }),
    );
  });

  it('of the output comes with its sums and a bound of their magnitudes', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, seed) => {
        const { kernel, floats } = scratch();
        const dz = floats(spiked(size, seed));
        const bias = floats(new Float32Array(size.units).fill(Number.NaN));
        const bound = kernel.biasGradient(dz.byteOffset, size.units, size.rows, bias.byteOffset);
        expectSums(bias, rowsOf(dz, size));
        expect(bound / largestSum(rowsOf(dz, size))).toBeCloseTo(1, 5);
      }),
    );
  });

  it('has a bound that is NaN where an element is', () => {
    for (const position of [0, 5, 13, 31]) {
      const { kernel, floats } = scratch();
      const dz = floats(new Float32Array(32).fill(Number.NaN, position, position + 1));
      const ones = floats(new Float32Array(32).fill(1));
      const to = floats([0, 0]).byteOffset;
      expect(kernel.biasGradient(dz.byteOffset, 2, 16, to)).toBeNaN();
      expect(kernel.reluDropoutGradient(dz.byteOffset, ones.byteOffset, 2, 16, 1, to)).toBeNaN();
    }
  });

  function expectSums(found: Float32Array, rows: readonly number[][]): void {
    found.forEach((value, u) => {
      const size = Math.max(...rows[u]!.map(Math.abs), 1);
      expect(Math.abs(value - sum(rows[u]!)) / size).toBeLessThan(1e-5);
    });
  }
});
