// Tests gradient codecs: what arrives is what the sender has kept, and what rounding leaves is not lost.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GRADIENT_CODECS, type GradientCodec, gradientCodecOf } from '../../src/collectives/gradient-codec.js';
import { floats } from '../../src/engine/arena.js';
import { sameBits } from '../bits.js';
import { updateArena } from './update-arena.js';

const LENGTH = 64;
const { arena: here, gradientBuffer } = updateArena(LENGTH, 1);
const { arena: there, gradientBuffer: arrived } = updateArena(LENGTH, 1);
const [from, to] = [here.regions.gradientBuffers, there.regions.gradientBuffers];

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** Rounds to the nearest bfloat16, ties to even, in plain integers. */
function rounded(value: number): number {
  float[0] = value;
  if (Number.isNaN(value)) return Number.NaN;
  const [whole] = bits as unknown as [number];
  const [upper, lower] = [whole >>> 16, whole & 0xffff];
  const up = lower > 0x8000 || (lower === 0x8000 && upper % 2 === 1);
  bits[0] = (upper + Number(up)) * 65536;
  return float[0];
}

/** Returns a sum as it arrives. It includes what rounding left of the last one. */
function sent(wire: GradientCodec, values: ArrayLike<number>, pieces = 1): Float32Array {
  gradientBuffer(0).set(values);
  const length = LENGTH / pieces;
  for (let start = 0; start < LENGTH; start += length) {
    const { payload } = wire.encode(from, start, start + length);
    gradientCodecOf(wire.name, there).decode(payload.slice(), to, wire.bytes(start));
  }
  return arrived(0).slice();
}

const anyFloat = fc.float({ noDefaultInfinity: true });
const sum = fc.array(anyFloat, { minLength: LENGTH, maxLength: LENGTH });

describe('a wire', () => {
  it.each(GRADIENT_CODECS)('%s brings what the sender then has itself, in any pieces', (name) => {
    fc.assert(
      fc.property(sum, fc.constantFrom(1, 2, 4, 8), (values, pieces) => {
        const wire = gradientCodecOf(name, here);
        wire.reset();
        const found = sent(wire, values, pieces);
        expect(sameBits(found, gradientBuffer(0))).toBe(true);
        expect(wire.bytes(LENGTH)).toBe(name === 'f32' ? 256 : 128);
      }),
    );
  });

  it('of f32 changes no bit, whatever it is a bit of', () => {
    const values = Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, -0, 1e-45, ...new Array(LENGTH - 4).fill(0.1));
    expect(sameBits(sent(gradientCodecOf('f32', here), values), values)).toBe(true);
  });

  it('of bf16 rounds to nearest even', () => {
    const halfway = [1 + 2 ** -8, 1 + 3 * 2 ** -8, -(1 + 2 ** -8), 1 + 2 ** -8 + 2 ** -20];
    fc.assert(
      fc.property(sum, (values) => {
        const wire = gradientCodecOf('bf16', here);
        wire.reset();
        // A residual of 0 turns -0 into 0.
        const all = [...halfway, ...values.slice(halfway.length)].map((value) => Math.fround(value) + 0);
        expect([...sent(wire, all)]).toEqual(all.map(rounded));
      }),
    );
    expect(halfway.map(rounded)).toEqual([1, 1 + 2 ** -6, -1, 1 + 2 ** -7]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4e38])(
    'of bf16 says so when %d cannot be sent as a number',
    (value) => {
      for (const at of [0, 5, LENGTH - 1]) {
        const wire = gradientCodecOf('bf16', here);
        wire.reset();
        gradientBuffer(0).fill(1);
        expect(wire.encode(from, 0, LENGTH).finite).toBe(true);
        gradientBuffer(0).fill(1)[at] = value;
        expect(wire.encode(from, 0, LENGTH).finite).toBe(false);
        expect(gradientBuffer(0)[at]).toSatisfy((found) => !Number.isFinite(found));
      }
    },
  );

  it('keeps a NaN whose carry would make a number of it', () => {
    const wire = gradientCodecOf('bf16', here);
    wire.reset();
    gradientBuffer(0).fill(0);
    new Uint32Array(here.memory.buffer, from, 1)[0] = 0x7fffffff;
    wire.encode(from, 0, LENGTH);
    expect(gradientBuffer(0)[0]).toBeNaN();
  });

  it.each([
    ['f32', 6],
    ['bf16', 18],
  ] as const)('of %s refuses half a number', (name, bytes) => {
    expect(() => gradientCodecOf(name, there).decode(new Uint8Array(bytes), to, 0)).toThrow(RangeError);
  });
});

describe('what rounding leaves', () => {
  /** Sums like gradients: each has a size of its own, and they drift. */
  const sums = fc.array(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }), {
    minLength: 2,
    maxLength: 40,
  });

  it('is in the next sum: of all together at most one rounding is missing', () => {
    fc.assert(
      fc.property(sums, (all) => {
        const wire = gradientCodecOf('bf16', here);
        wire.reset();
        const [meant, came] = [new Float64Array(LENGTH), new Float64Array(LENGTH)];
        for (const eight of all) {
          const values = Float32Array.from({ length: LENGTH }, (_, i) => eight[i % 8]!);
          for (const [i, value] of values.entries()) meant[i]! += value;
          const found = sent(wire, values);
          for (const [i, value] of found.entries()) came[i]! += value;
          const residual = floats(here, 'residual', LENGTH);
          // What was rounded is below 2 + 2^-8, whose half unit is 2^-8. Adding the residual rounds in f32, each time by less than 2^-23.
          meant.forEach((value, i) => {
            expect(Math.abs(residual[i]!)).toBeLessThanOrEqual(2 ** -8);
            expect(Math.abs(value - came[i]! - residual[i]!)).toBeLessThan(all.length * 2 ** -23);
          });
        }
      }),
    );
  });

  it('would be lost sum by sum without that', () => {
    const value = 1 + 2 ** -9; // This rounds to 1.
    const missing = (forgets: boolean): number => {
      const wire = gradientCodecOf('bf16', here);
      wire.reset();
      let came = 0;
      for (let t = 0; t < 256; t++) {
        if (forgets) wire.reset();
        came += sent(wire, new Float32Array(LENGTH).fill(value))[0]!;
      }
      return 256 * value - came;
    };
    expect(missing(true)).toBe(0.5);
    expect(Math.abs(missing(false))).toBeLessThanOrEqual(2 ** -8);
  });

  it('of several sums of one end is one, and their total is what counts', () => {
    const wire = gradientCodecOf('bf16', here);
    wire.reset();
    const [a, b] = [1.001, -0.377];
    let came = 0;
    for (let t = 0; t < 100; t++)
      for (const value of [a, b]) came += sent(wire, new Float32Array(LENGTH).fill(value))[0]!;
    expect(Math.abs(100 * (Math.fround(a) + Math.fround(b)) - came)).toBeLessThanOrEqual(2 ** -8 + 200 * 2 ** -24);
  });
});
