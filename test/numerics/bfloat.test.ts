// Tests the kernel's bfloat16, in which sums may be sent: rounding, against a plain definition of it, and widening.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitsOf, floatOf, nearest, valuesOf } from './bfloat.js';
import { scratch } from './scratch.js';

/** -0 is left out, because adding nothing to it gives 0. */
const bits = fc.nat(0xffffffff).filter((pattern) => pattern !== 0x80000000);
const edges = [0, 1, 0x8000, 0x8001, 0x7fff, 0x18000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f817fff]
  .concat([0x7f7fffff, 0x7f7f7fff, 0x7f7f8000, 0x7f800000, 0xff800000, 0xff7f8000, 0x007fffff, 0x00800000, 0x807f8000])
  .concat([0x7fc00000, 0x7f800001, 0x7fffffff, 0xffffffff, 0xff800001]);

describe('rounding to bfloat16', () => {
  /** patterns: a multiple of 8. */
  const roundAll = (patterns: readonly number[]): Float32Array => {
    const { kernel, words, floats, bytes } = scratch();
    const to = bytes(new Uint8Array(2 * patterns.length + 2).fill(7));
    const nothing = floats(new Float32Array(patterns.length));
    kernel.roundFedBack(words(patterns).byteOffset, nothing.byteOffset, to.byteOffset, patterns.length);
    expect([...to.subarray(2 * patterns.length)]).toEqual([7, 7]);
    return valuesOf(new Uint16Array(to.buffer, to.byteOffset, patterns.length));
  };

  it('takes the nearest, ties to even, for infinities, NaN, denormals, and what lies between two of them', () => {
    expect([...roundAll(edges)]).toEqual(edges.map((pattern) => nearest(floatOf(pattern))));
  });

  it('does so for any floats, and writes nothing behind them', () => {
    const blocks = fc.array(fc.array(bits, { minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(blocks, (patterns) => {
        expect([...roundAll(patterns.flat())]).toEqual(patterns.flat().map((pattern) => nearest(floatOf(pattern))));
      }),
    );
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
