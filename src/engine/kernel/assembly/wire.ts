// Owns the rounding of sums for their way over a network: bfloat16, the upper half of a float, to nearest even.

/**
 * For each of n floats: x = v + residual; to = bfloat16(x); v = what `to` stands for; residual = x - v. A NaN stays one. n: a multiple of 8.
 * Returns 1 if all that was written is finite.
 */
export function round(v: usize, residual: usize, to: usize, n: i32): i32 {
  let odd = i32x4.splat(0);
  for (const end = v + ((<usize>n) << 2); v < end; v += 32, residual += 32, to += 16) {
    const a = f32x4.add(v128.load(v), v128.load(residual));
    const b = f32x4.add(v128.load(v, 16), v128.load(residual, 16));
    const left = nearest(a);
    const right = nearest(b);
    v128.store(v, left);
    v128.store(v, right, 16);
    v128.store(residual, f32x4.sub(a, left));
    v128.store(residual, f32x4.sub(b, right), 16);
    v128.store(to, i16x8.narrow_i32x4_u(i32x4.shr_u(left, 16), i32x4.shr_u(right, 16)));
    // x - x is 0 but for infinities and NaN, whose result is NaN.
    odd = v128.or(odd, v128.or(f32x4.sub(left, left), f32x4.sub(right, right)));
  }
  return i32(!v128.any_true(odd));
}

/** v = the n floats that the bfloat16 numbers in the upper half of their own place stand for. n: a multiple of 8. */
export function widen(v: usize, n: i32): void {
  let from = v + ((<usize>n) << 1);
  // What is written lies behind what is still to be read.
  for (const end = v + ((<usize>n) << 2); v < end; v += 32, from += 16) {
    const both = v128.load(from);
    v128.store(v, i32x4.shl(i32x4.extend_low_i16x8_u(both), 16));
    v128.store(v, i32x4.shl(i32x4.extend_high_i16x8_u(both), 16), 16);
  }
}

/** The nearest floats whose lower half is 0; of two, the one whose upper half is even. */
function nearest(x: v128): v128 {
  const even = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1));
  const carried = i32x4.add(x, i32x4.add(i32x4.splat(0x7fff), even));
  const rounded = v128.and(carried, i32x4.splat(0xffff0000));
  // The carry could turn a NaN into a number.
  return v128.bitselect(rounded, i32x4.splat(0x7fc00000), f32x4.eq(x, x));
}
