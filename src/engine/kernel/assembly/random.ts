// Draws the random bits of a step: four interleaved xoshiro128+ generators, one per SIMD lane. Their 16 words of state
// are in memory as four vectors (word w of every lane). Blackman & Vigna, "Scrambled linear pseudorandom number
// generators", 2021.

/** The bytes between a generator's state and the buffer for its bits. */
export const BITS: usize = 64;

/** Writes `bytes` random bytes (a multiple of 16) to the buffer behind `state`. Returns the buffer's address. */
export function fill(state: usize, bytes: usize): usize {
  // The state stays in registers. In memory, each draw would wait for the stores of the one before.
  let s0 = v128.load(state, 0);
  let s1 = v128.load(state, 16);
  let s2 = v128.load(state, 32);
  let s3 = v128.load(state, 48);
  const end = state + BITS + bytes;
  for (let to = state + BITS; to < end; to += 16) {
    v128.store(to, i32x4.add(s0, s3));
    const t = i32x4.shl(s1, 9);
    s2 = v128.xor(s2, s0);
    s3 = v128.xor(s3, s1);
    s1 = v128.xor(s1, s2);
    s0 = v128.xor(s0, s3);
    s2 = v128.xor(s2, t);
    s3 = v128.or(i32x4.shl(s3, 11), i32x4.shr_u(s3, 21));
  }
  v128.store(state, s0, 0);
  v128.store(state, s1, 16);
  v128.store(state, s2, 32);
  v128.store(state, s3, 48);
  return state + BITS;
}
