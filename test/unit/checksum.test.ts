// Tests the checksum of parameters: SHA-256 over their bytes, wherever they are in memory.
import { describe, expect, it } from 'vitest';
import { sha256OfParameters } from '../../src/checksum.js';

// printf '\x00\x00\x80\x3f\x00\x00\x00\xc0' | sha256sum
const ONE_AND_MINUS_TWO = 'ee4ac73c2bd27756ab82780f27c73a7bc4d3f0bb6acb37e008bc27eccd7e588b';

describe('sha256OfParameters', () => {
  it('is the SHA-256 of the little-endian bytes', () => {
    expect(sha256OfParameters(Float32Array.of(1, -2))).toBe(ONE_AND_MINUS_TWO);
  });

  it('covers a part of a larger array, and shared memory', () => {
    expect(sha256OfParameters(Float32Array.of(9, 1, -2, 9).subarray(1, 3))).toBe(ONE_AND_MINUS_TWO);
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([1, -2]);
    expect(sha256OfParameters(shared)).toBe(ONE_AND_MINUS_TWO);
  });

  it('tells the bits of 0 and -0 apart', () => {
    expect(sha256OfParameters(Float32Array.of(0))).not.toBe(sha256OfParameters(Float32Array.of(-0)));
  });
});
