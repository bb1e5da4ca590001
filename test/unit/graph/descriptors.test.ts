// Tests histograms of gradients against a computation by hand, and principal components against their definition.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOG_VALUES, Hog } from '../../../src/graph/hog.js';
import { Projection, principalComponents } from '../../../src/graph/principal-components.js';
import { Stream } from '../../../src/random.js';

const SIZE = { height: 28, width: 28, channels: 1 };

function hogOf(image: Uint8Array, size = SIZE, deskew = false): Float32Array {
  const values = new Float32Array(HOG_VALUES);
  new Hog(size, deskew).describe(image, values);
  return values;
}

/** Makes a line of ink that goes this number of pixels to the right for each one down. */
function stroke(slant: number, shift = 0): Uint8Array {
  const image = new Uint8Array(784);
  for (let y = 8; y < 20; y++)
    for (const x of [0, 1, 2]) image[y * 28 + Math.round(12 + shift + x + slant * (y - 14))] = 255;
  return image;
}

describe('a histogram of gradients', () => {
  it('is nothing for an image of one colour', () => {
    expect(hogOf(new Uint8Array(784).fill(200)).every((value) => value === 0)).toBe(true);
  });

  it('has the edge of a step in the orientation that it has, as much as its mean over squares and cells says', () => {
    // The image is bright on the right. The gradient points right (orientation 0), and by (1/sqrt 2)^3 halfway up (1)
    // and down (7).
    const image = new Uint8Array(784);
    for (let y = 0; y < 28; y++) image.fill(255, y * 28 + 14, y * 28 + 28);
    const values = hogOf(image);
    const at = (orientation: number, row: number, column: number) => values[(orientation * 9 + row) * 9 + column]!;
    // Columns 13 and 14 have a response of 1. The means of columns 11 to 15 and 12 to 16 include it; cell 4 is columns
    // 12 to 15.
    const mean = (2 + 2 + 2 + 2) / 5 / 4;
    expect(at(0, 4, 4) ** 2).toBeCloseTo(mean, 5);
    expect(at(1, 4, 4) ** 2).toBeCloseTo(mean * Math.SQRT1_2 ** 3, 5);
    expect(at(7, 4, 4) ** 2).toBeCloseTo(mean * Math.SQRT1_2 ** 3, 5);
    for (const orientation of [2, 3, 4, 5, 6]) expect(at(orientation, 4, 4)).toBe(0);
    expect(at(0, 4, 0)).toBe(0);
  });

  it('is nearly the same for a slanted stroke as for an upright one where images are set upright', () => {
    const distance = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((value, i) => value - b[i]!));
    const [upright, slanted] = [stroke(0), stroke(0.5, 3)];
    expect(distance(hogOf(upright, SIZE, true), hogOf(slanted, SIZE, true))).toBeLessThan(
      0.5 * distance(hogOf(upright), hogOf(slanted)),
    );
  });

  it('adds up the channels of a picture in colour', () => {
    const grey = stroke(0.2);
    const colour = Uint8Array.from({ length: 784 * 3 }, (_, i) => (i % 3 === 1 ? 0 : grey[Math.floor(i / 3)]!));
    const [one, three] = [hogOf(grey), hogOf(colour, { ...SIZE, channels: 3 })];
    for (let i = 0; i < HOG_VALUES; i++) expect(three[i]! ** 2).toBeCloseTo(2 * one[i]! ** 2, 4);
  });

  it('is finite for any image of any size', () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, fc.nat(), fc.boolean(), (height, width, seed, deskew) => {
        const stream = new Stream(Uint32Array.of(seed, 1, 2, 3));
        const image = Uint8Array.from({ length: height * width }, () => stream.uniform() * 256);
        expect(hogOf(image, { height, width, channels: 1 }, deskew).every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe('principal components', () => {
  /** Makes rows that differ along few directions, the most along the first. */
  function sample(rows: number, width: number, seed: number): Float32Array {
    const stream = new Stream(Uint32Array.of(seed, 1, 2, 3));
    return Float32Array.from({ length: rows * width }, (_, i) => (stream.uniform() - 0.5) * 0.5 ** (i % width) + 3);
  }

  it('are of length 1, perpendicular, and hold the variance in their order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 2, max: 12 }), async (seed, width) => {
        const values = sample(200, width, seed);
        const { vectors, mean } = await principalComponents(values, width, 3);
        const count = vectors.length / width;
        expect(count).toBe(Math.min(3, width));
        const vector = (c: number) => Array.from(vectors.subarray(c * width, (c + 1) * width));
        const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, each, i) => sum + each * b[i]!, 0);
        const variance = (c: number) => {
          let sum = 0;
          for (let r = 0; r < 200; r++)
            sum +=
              dot(
                Array.from(values.subarray(r * width, (r + 1) * width), (v, i) => v - mean[i]!),
                vector(c),
              ) ** 2;
          return sum;
        };
        for (let c = 0; c < count; c++) {
          expect(dot(vector(c), vector(c))).toBeCloseTo(1, 5);
          for (let d = 0; d < c; d++) expect(dot(vector(c), vector(d))).toBeCloseTo(0, 5);
          if (c > 0) expect(variance(c)).toBeLessThan(variance(c - 1) * 1.001);
        }
        // No single direction of the rows holds more than the first component.
        for (let i = 0; i < width; i++) {
          let sum = 0;
          for (let r = 0; r < 200; r++) sum += (values[r * width + i]! - mean[i]!) ** 2;
          expect(sum).toBeLessThan(variance(0) * 1.001);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('are the same with values that never change beside them, which make a matrix of several tiles and strips', async () => {
    const [rows, width, wide] = [40, 5, 1100];
    const values = sample(rows, width, 1);
    // One value is at the start, and one in each of the last strips.
    const places = [0, 40, 511, 700, 1099];
    const spread = new Float32Array(rows * wide).fill(2);
    for (let r = 0; r < rows; r++)
      for (const [i, at] of places.entries()) spread[r * wide + at] = values[r * width + i]!;
    const [narrow, found] = [await principalComponents(values, width, 3), await principalComponents(spread, wide, 3)];
    for (let c = 0; c < 3; c++) {
      const whole = found.vectors.subarray(c * wide, (c + 1) * wide);
      const product = places.reduce((sum, at, i) => sum + whole[at]! * narrow.vectors[c * width + i]!, 0);
      expect(Math.abs(product)).toBeCloseTo(1, 5);
    }
  });

  it('are finite for images that are all the same, whose projections are nothing', async () => {
    const basis = await principalComponents(new Float32Array(50).fill(4), 5, 3);
    const to = new Float32Array(3).fill(7);
    new Projection(basis).project(new Float32Array(5).fill(4), 0, 1, to, 0);
    expect([...to]).toEqual([0, 0, 0]);
    expect(basis.vectors.every(Number.isFinite)).toBe(true);
  });

  it('project to the length that is asked for', async () => {
    const values = sample(100, 6, 1);
    const basis = await principalComponents(values, 6, 4);
    const to = new Float32Array(6);
    new Projection(basis).project(values, 6, 1.4, to, 1);
    expect(to[0]).toBe(0);
    expect(to[5]).toBe(0);
    expect(Math.hypot(...to)).toBeCloseTo(1.4, 5);
  });
});
