// Tests the kernel's random and rearranging passes: masks to the bit, noise by its distribution, rows in both orders.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalQuantiles } from '../../src/engine/normals.js';
import { dropoutOf } from '../../src/models/dense/layer.js';
import { sameBits } from '../bits.js';
import { dropoutFactors, laneGenerator, states, withRoom } from './lane-generator.js';
import { scratch } from './scratch.js';
import { uniform } from './shard-task.js';

describe('dropout', () => {
  const n = 80_000;
  const ones = new Float32Array(n).fill(1);

  function dropped(values: Float32Array, rate: number, seed: number, calls = 1): Float32Array {
    const { kernel, floats, words } = scratch();
    const x = floats(values);
    const { keep, scale } = dropoutOf(rate, 0);
    const { byteOffset } = words(withRoom(states(seed)));
    const part = n / calls;
    for (let call = 0; call < calls; call++) {
      kernel.dropout(x.byteOffset + call * part * 4, part, keep, scale, byteOffset);
    }
    return x.slice();
  }

  it.each([0.2, 0.5, 0.9, 1 / 65536])('at rate %f keeps that share, scaled to the same mean', (rate) => {
    const kept = dropped(ones, rate, 1).filter((value) => value !== 0);
    expect(Math.abs(kept.length / n - (1 - rate))).toBeLessThan(4 * Math.sqrt((rate * (1 - rate)) / n));
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / (1 - Math.round(rate * 65536) / 65536))]));
  });

  it('draws the masks of four xoshiro128+ generators, to the bit', () => {
    const next = uniform(2);
    const values = ones.map(() => next() - 0.5);
    for (const rate of [0.2, 0.5]) {
      const factors = dropoutFactors(states(3), n, dropoutOf(rate, 0));
      const expected = values.map((value, i) => (factors[i] === 0 ? 0 : value * factors[i]!));
      expect(sameBits(dropped(values, rate, 3), expected)).toBe(true);
    }
  });

  it('goes on with its stream from one call to the next', () => {
    expect(sameBits(dropped(ones, 0.5, 4, 10), dropped(ones, 0.5, 4))).toBe(true);
    expect(sameBits(dropped(ones, 0.5, 5), dropped(ones, 0.5, 4))).toBe(false);
  });

  it('keeps units as independently of each other as of the rows', () => {
    const kept = dropped(ones, 0.5, 6).map(Number);
    for (const distance of [1, 2, 4, 8, 9, 16, 64]) {
      let both = 0;
      for (let i = distance; i < n; i++) both += Number(kept[i]! > 0 && kept[i - distance]! > 0);
      expect(Math.abs(both / (n - distance) - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / n));
    }
  });
});

describe('noise', () => {
  const n = 60_000;

  function noisy(value: number, sigma: number): Float32Array {
    const { kernel, floats, words } = scratch();
    const x = floats(new Float32Array(n).fill(value));
    const normals = floats(normalQuantiles(2 ** 14));
    kernel.addNoise(x.byteOffset, n, sigma, normals.byteOffset, words(withRoom(states(9))).byteOffset);
    return x.slice();
  }

  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / n;

  it('has mean 0 and the standard deviation that was asked for', () => {
    const values = noisy(0.5, 0.1).map((value) => value - 0.5);
    expect(Math.abs(mean(values))).toBeLessThan(4 * 0.1 * Math.sqrt(1 / n));
    const variance = mean(values.map((value) => value * value));
    expect(Math.abs(variance / 0.01 - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    const fourth = mean(values.map((value) => value ** 4));
    expect(Math.abs(fourth / 1e-4 - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
  });

  it('is clipped to [0, 1], as often as the normal distribution says', () => {
    const values = noisy(0.25, 0.5);
    const share = (of: (value: number) => boolean) => values.filter(of).length / n;
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    for (const [found, expected] of [
      [share((value) => value === 0), 0.308538], // P(N < -1/2)
      [share((value) => value === 1), 0.066807], // P(N > 3/2)
    ] as const) {
      expect(Math.abs(found - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / n));
    }
  });

  it('is drawn from 14 bits of each half of a word, to the bit', () => {
    const normals = normalQuantiles(2 ** 14);
    const draw = laneGenerator(states(9));
    const halves = Array.from({ length: n / 8 }, () => draw().flatMap((word) => [word & 0xffff, word >>> 16])).flat();
    const quantiles = halves.map((half) => normals[half & 0x3fff]!);
    const sigma = Math.fround(0.1);
    const expected = Float32Array.from(quantiles, (quantile) => {
      const value = Math.fround(0.5 + Math.fround(sigma * quantile));
      return Math.min(Math.max(value, 0), 1);
    });
    expect(sameBits(noisy(0.5, sigma), expected)).toBe(true);
  });
});

describe('the quantiles of the normal distribution', () => {
  it('have the known ratios', () => {
    const quantiles = normalQuantiles(20);
    const ratio = quantiles[19]! / quantiles[17]!; // of 0.975 and 0.875
    expect(ratio).toBeCloseTo(1.959963985 / 1.15034938, 6);
    expect(quantiles[19]! / quantiles[10]!).toBeCloseTo(1.959963985 / 0.062706778, 4); // of 0.525
  });

  it('have the known values where they are many, a mean of 0, a variance of 1, and the order of their ranks', () => {
    const n = 2 ** 14;
    const quantiles = normalQuantiles(n);
    for (const [probability, quantile] of [
      [0.5, 0],
      [0.841345, 1],
      [0.975, 1.959964],
      [0.999, 3.090232],
      [0.001, -3.090232],
    ] as const) {
      expect(Math.abs(quantiles[Math.round(probability * n - 0.5)]! - quantile)).toBeLessThan(0.005);
    }
    expect(quantiles.reduce((sum, value) => sum + value, 0)).toBe(0);
    expect(quantiles.reduce((sum, value) => sum + value * value, 0) / n).toBeCloseTo(1, 6);
    expect(quantiles).toEqual(quantiles.toSorted());
  });
});

describe('rows', () => {
  const sizes = fc.record({ rows: fc.nat(19), pixels: fc.integer({ min: 1, max: 40 }), seed: fc.nat() });

  it('are loaded as shares of 255, with zeros up to the padding and nothing behind it', () => {
    fc.assert(
      fc.property(sizes, ({ rows, pixels, seed }) => {
        const { kernel, floats, bytes } = scratch();
        const next = uniform(seed);
        const images = bytes(Uint8Array.from({ length: rows * pixels }, () => 256 * next()));
        const padded = Math.ceil(rows / 8) * 8;
        const x = floats(new Float32Array((padded + 1) * pixels).fill(Number.NaN));
        kernel.loadRows(images.byteOffset, rows, padded, pixels, x.byteOffset);
        const expected = x.map((_, i) => {
          const row = Math.floor(i / pixels);
          if (row >= padded) return Number.NaN;
          return row < rows ? images[i]! * Math.fround(1 / 255) : 0;
        });
        expect(x).toEqual(expected);
      }),
    );
  });

  it('are transposed, whatever the number of columns', () => {
    fc.assert(
      fc.property(sizes, ({ rows: groups, pixels: columns }) => {
        const { kernel, floats } = scratch();
        const rows = 8 * (1 + (groups % 4));
        const from = floats(Float32Array.from({ length: rows * columns }, (_, i) => i));
        const to = floats(new Float32Array(rows * columns));
        kernel.transpose(from.byteOffset, rows, columns, to.byteOffset);
        expect(to).toEqual(to.map((_, i) => from[(i % rows) * columns + Math.floor(i / rows)]!));
      }),
    );
  });
});
