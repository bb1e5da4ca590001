// Random streams named by a key (seed, purpose, numbers). Each can be started anywhere, in any order, with the same
// result. They use 32-bit integer arithmetic, so that every machine has the same bits.

/** The purposes of streams. The codes are part of every run's result: add new ones, never change or reuse one. */
const PURPOSES = {
  init: 1,
  split: 2,
  labelled: 3,
  unlabelled: 4,
  mask: 5,
  noise: 6,
  validation: 7,
  resampling: 8,
  // 9 was the code of a removed gradient codec.
  sweep: 10,
  augment: 11,
  components: 16,
} as const;

export type Purpose = keyof typeof PURPOSES;

/** A 128-bit key, which is never all zero. */
export type Key = Uint32Array;

/**
 * Returns the key of the stream for (seed, purpose, ...parts).
 * @param seed an integer from 0 to 2^53 - 1, as each part
 * @param parts the numbers that tell this stream from the others of its purpose: an epoch; a step and a shard
 * @returns 4 words
 */
export function keyOf(seed: number, purpose: Purpose, ...parts: number[]): Key {
  return hash([seed, PURPOSES[purpose], ...parts]);
}

/**
 * Returns the initial states of four xoshiro128 generators that run side by side, one in each lane of a 4 x 32-bit
 * vector.
 * @returns 16 words: word w of lane l is at 4 * w + l, so that each vector can be loaded directly. No lane is all zero.
 */
export function laneStates(key: Key): Uint32Array {
  const states = new Uint32Array(16);
  for (let lane = 0; lane < 4; lane++) {
    const state = hash([...key, lane]);
    for (let word = 0; word < 4; word++) states[4 * word + lane] = state[word]!;
  }
  return states;
}

/** The standard deviation of the sum of four bytes, each of which has the variance (256^2 - 1) / 12. */
const BELL_DEVIATION = Math.sqrt(21845);

/** xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018). */
export class Stream {
  readonly #s: Uint32Array;

  /** @param state 4 words, not all zero: a key */
  constructor(state: Key) {
    this.#s = state.slice();
  }

  /** Returns the next integer from 0 to 2^32 - 1. */
  nextUint32(): number {
    const s = this.#s;
    const s1 = s[1]!;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    s[2]! ^= s[0]!;
    s[3]! ^= s1;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= s1 << 9;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }

  /** Returns a uniform number in [0, 1), a multiple of 2^-24, which is exact in 32-bit floating point. */
  uniform(): number {
    return (this.nextUint32() >>> 8) * 2 ** -24;
  }

  /**
   * Returns a nearly normal number of mean 0 and variance 1, within 3.46: the sum of four uniform bytes. It needs no
   * logarithm, whose bits differ between versions of V8.
   */
  bell(): number {
    const bits = this.nextUint32();
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    return (sum - 510) / BELL_DEVIATION;
  }

  /** Returns a uniform integer in [0, n), for n from 1 to 2^32. */
  below(n: number): number {
    // The last, incomplete run of n values would favour small results, so that a number in it is drawn again.
    const limit = 2 ** 32 - (2 ** 32 % n);
    let x = this.nextUint32();
    while (x >= limit) x = this.nextUint32();
    return x % n;
  }

  /** Returns a uniform permutation of 0 .. n - 1 (Fisher-Yates). */
  permutation(n: number): Uint32Array {
    const p = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const taken = p[i]!;
      p[i] = p[j]!;
      p[j] = taken;
    }
    return p;
  }

  /**
   * Returns a standard normal number (Marsaglia's polar method). Its logarithm is V8's own, the same on every platform.
   */
  normal(): number {
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
    }
  }
}

/**
 * Hashes integers (0 to 2^53 - 1) to 128 bits: a sponge that absorbs one 32-bit word per round. A round is a bijection
 * of the state, so that two different inputs stay different unless later words cancel a difference spread over all 128
 * bits.
 */
function hash(values: readonly number[]): Uint32Array {
  // The first digits of pi's fraction. Four variables are several times as fast as an array.
  let h0 = 0x243f6a88;
  let h1 = 0x85a308d3;
  let h2 = 0x13198a2e;
  let h3 = 0x03707344;
  for (let w = 0; w <= 2 * values.length; w++) {
    const value = values[w >> 1];
    const word = value === undefined ? values.length : w % 2 === 0 ? value | 0 : (value / 2 ** 32) | 0;
    h0 = avalanche(h0 ^ h3 ^ word);
    h1 = avalanche(h1 ^ h0);
    h2 = avalanche(h2 ^ h1);
    h3 = avalanche(h3 ^ h2);
  }
  if ((h0 | h1 | h2 | h3) === 0) h0 = 1; // the one state that xoshiro128 cannot leave
  return Uint32Array.of(h0, h1, h2, h3);
}

/**
 * Returns the 32-bit finaliser of MurmurHash3 (Appleby): a bijection in which every input bit flips every output bit
 * about half the time.
 */
function avalanche(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}
