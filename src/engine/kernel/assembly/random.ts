// Owns the random bits of a step: four interleaved xoshiro128+ generators, one per SIMD lane, whose 16 words of state stand in
// memory as four vectors (word w of every lane). Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2021.

let s0: v128 = i32x4.splat(0);
let s1: v128 = i32x4.splat(0);
let s2: v128 = i32x4.splat(0);
let s3: v128 = i32x4.splat(0);

/** Takes up the stream whose state lies at `state` (64 bytes). */
export function resume(state: usize): void {
  s0 = v128.load(state, 0);
  s1 = v128.load(state, 16);
  s2 = v128.load(state, 32);
  s3 = v128.load(state, 48);
}

/** Writes the state back, so that the next block goes on where this one stopped. */
export function suspend(state: usize): void {
  v128.store(state, s0, 0);
  v128.store(state, s1, 16);
  v128.store(state, s2, 32);
  v128.store(state, s3, 48);
}

/** 128 random bits. */
export function next(): v128 {
  const bits = i32x4.add(s0, s3);
  const t = i32x4.shl(s1, 9);
  s2 = v128.xor(s2, s0);
  s3 = v128.xor(s3, s1);
  s1 = v128.xor(s1, s2);
  s0 = v128.xor(s0, s3);
  s2 = v128.xor(s2, t);
  s3 = v128.or(i32x4.shl(s3, 11), i32x4.shr_u(s3, 21));
  return bits;
}
