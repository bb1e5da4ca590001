// The kernel's bfloat16: rounding against a plain statement of it, and the passes against those of floats.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dropoutOf } from '../../src/models/dense/layer.js';
import { bitsOf, floatOf, halvesOf, nearest, valuesOf } from './bfloat.js';
import { states, withRoom } from './lane-generator.js';
import { type Scratch, scratch } from './scratch.js';

/** Puts bfloat16 values into memory. */
function rounded({ bytes }: Scratch, values: ArrayLike<number>): Uint16Array {
  const halves = halvesOf(values);
  const place = bytes(new Uint8Array(halves.buffer));
  return new Uint16Array(place.buffer, place.byteOffset, halves.length);
}

const bits = fc.nat(0xffffffff);
const edges = [0, 0x80000000, 1, 0x8000, 0x8001, 0x7fff, 0x18000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f817fff]
  .concat([0x7f7fffff, 0x7f7f7fff, 0x7f7f8000, 0x7f800000, 0xff800000, 0xff7f8000, 0x007fffff, 0x00800000, 0x807f8000])
  .concat([0x7fc00000, 0x7f800001, 0x7fffffff, 0xffffffff, 0xff800001]);

describe('rounding to bfloat16', () => {
  const roundAll = (patterns: readonly number[]): Float32Array => {
    const { kernel, words, bytes } = scratch();
    const to = bytes(new Uint8Array(2 * patterns.length + 2).fill(7));
    kernel.round(words(patterns).byteOffset, patterns.length, to.byteOffset);
    expect([...to.subarray(2 * patterns.length)]).toEqual([7, 7]);
    return valuesOf(new Uint16Array(to.buffer, to.byteOffset, patterns.length));
  };

  it('takes the nearest, ties to even, for infinities, NaN, denormals, and what lies between two of them', () => {
    expect([...roundAll(edges)]).toEqual(edges.map((pattern) => nearest(floatOf(pattern))));
  });

  it('does so for any floats, however many, and writes nothing behind them', () => {
    fc.assert(
      fc.property(fc.array(bits, { minLength: 1, maxLength: 40 }), (patterns) => {
        expect([...roundAll(patterns)]).toEqual(patterns.map((pattern) => nearest(floatOf(pattern))));
      }),
    );
  });

  it('may be done in place', () => {
    const { kernel, floats } = scratch();
    const values = Float32Array.from({ length: 1003 }, (_, i) => Math.sin(i) * 10 ** (i % 7));
    const place = floats(values);
    kernel.round(place.byteOffset, values.length, place.byteOffset);
    const found = valuesOf(new Uint16Array(place.buffer, place.byteOffset, values.length));
    expect(found).toEqual(values.map(nearest));
  });

  it('is undone by widening, for all 65536 of them', () => {
    const { kernel, floats, bytes } = scratch();
    const halves = Uint16Array.from({ length: 65536 }, (_, half) => half);
    const to = floats(new Float32Array(65536));
    const from = bytes(new Uint8Array(halves.buffer));
    kernel.widen(from.byteOffset, halves.length, to.byteOffset);
    const words = new Uint32Array(to.buffer, to.byteOffset, halves.length);
    expect(words).toEqual(Uint32Array.from(halves, (half) => half << 16));
  });

  it('adds to floats what it widens', () => {
    const own = scratch();
    const sum = Float32Array.from({ length: 24 }, (_, i) => i + 0.001);
    const halves = rounded(
      own,
      sum.map((_, i) => nearest(Math.fround(i / 3))),
    );
    const to = own.floats(sum);
    own.kernel.addBf16(to.byteOffset, halves.byteOffset, 24);
    expect(to).toEqual(sum.map((value, i) => value + nearest(Math.fround(i / 3))));
  });
});

describe('a hidden layer of bfloat16', () => {
  const sizes = fc.record({
    units: fc.integer({ min: 1, max: 7 }),
    rows: fc.integer({ min: 1, max: 4 }).map((n) => 8 * n),
    rate: fc.constantFrom(0, 0.2, 0.5),
    seed: fc.nat(1000),
  });
  const valuesFor = (count: number, seed: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => nearest(Math.fround(Math.sin(seed + 7 * i) * 2 ** (i % 9))));

  it('is that of floats, rounded: the same masks, the same sum', () => {
    fc.assert(
      fc.property(sizes, ({ units, rows, rate, seed }) => {
        const { keep, scale } = dropoutOf(rate, 0);
        const own = scratch();
        const values = valuesFor(units * rows, seed);
        const bias = own.floats(valuesFor(units, seed + 1));
        const [z, z16] = [own.floats(values), rounded(own, values)];
        const shape = [bias.byteOffset, units, rows, keep, scale] as const;
        const state = () => own.words(withRoom(states(8))).byteOffset;
        const sum = own.kernel.reluDropout(z.byteOffset, ...shape, state());
        expect(own.kernel.reluDropoutBf16(z16.byteOffset, ...shape, state())).toBe(sum);
        expect(valuesOf(z16)).toEqual(z.map(nearest));
      }),
    );
  });

  it('has the gradient of floats, rounded, and as exact sums', () => {
    fc.assert(
      fc.property(sizes, ({ units, rows, rate, seed }) => {
        const { scale } = dropoutOf(rate, 0);
        const own = scratch();
        const [da, h] = [
          valuesFor(units * rows, seed),
          valuesFor(units * rows, seed + 2).map((value) => Math.max(value, 0)),
        ];
        const [f32, bf16] = [own.floats(da), rounded(own, da)];
        const [outputs, outputs16] = [own.floats(h), rounded(own, h)];
        const [bias, bias16] = [own.floats(new Float32Array(units)), own.floats(new Float32Array(units))];
        const largest = own.kernel.reluDropoutGradient(
          f32.byteOffset,
          outputs.byteOffset,
          units,
          rows,
          scale,
          bias.byteOffset,
        );
        const found = own.kernel.reluDropoutGradientBf16(
          bf16.byteOffset,
          outputs16.byteOffset,
          units,
          rows,
          scale,
          bias16.byteOffset,
        );
        expect(valuesOf(bf16)).toEqual(f32.map(nearest));
        expect(Math.abs(found - largest)).toBeLessThanOrEqual(1e-5 * largest);
        for (const [u, value] of bias.entries())
          expect(Math.abs(bias16[u]! - value)).toBeLessThanOrEqual(1e-5 * largest);
      }),
    );
  });

  it('keeps NaN, in its values and in its bounds', () => {
    const own = scratch();
    const values = valuesFor(16, 1);
    values[5] = Number.NaN;
    const z = rounded(own, values);
    const bias = own.floats([0, 0]).byteOffset;
    expect(own.kernel.reluDropoutBf16(z.byteOffset, bias, 2, 8, 65536, 1, 0)).toBeNaN();
    expect(valuesOf(z)[5]).toBeNaN();
    const da = rounded(own, values);
    const ones = rounded(own, new Array(16).fill(1));
    own.kernel.reluDropoutGradientBf16(da.byteOffset, ones.byteOffset, 2, 8, 1, bias);
    expect(new Float32Array(z.buffer, bias, 2)[0]).toBeNaN();
  });
});

describe('the statement of bfloat16 that these tests hold the kernel to', () => {
  it('knows the ties next to 1, and where infinity begins', () => {
    expect(nearest(floatOf(0x3f808000))).toBe(1);
    expect(nearest(floatOf(0x3f818000))).toBe(1 + 2 ** -6);
    expect(bitsOf(nearest(floatOf(0x3f808001)))).toBe(0x3f810000);
    expect(nearest(3.4e38)).toBe(Number.POSITIVE_INFINITY);
    expect(nearest(3.39e38)).toBeLessThan(Number.POSITIVE_INFINITY);
  });
});
