// Encodes floats as bfloat16, the upper 16 bits of a float, so that sums can be sent over a network in half the bytes.

/**
 * Returns the nearest bfloat16 of each lane, ties to even, in its lower 16 bits. Infinities stay, and NaN becomes one
 * of either sign.
 */
function nearest(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(x, i32x4.add(odd, i32x4.splat(0x7fff))), 16);
  return v128.or(rounded, v128.and(f32x4.ne(x, x), i32x4.splat(0x7fc0)));
}

/**
 * to[i] = the float that the bfloat16 from[i] stands for. Writes up to 7 floats behind the last. It may run in place,
 * from the upper half of `to`.
 */
export function widen(from: usize, n: i32, to: usize): void {
  for (const end = to + ((<usize>n) << 2); to < end; to += 32, from += 16) {
    const values = v128.load(from);
    v128.store(to, i32x4.shl(i32x4.extend_low_i16x8_u(values), 16));
    v128.store(to, i32x4.shl(i32x4.extend_high_i16x8_u(values), 16), 16);
  }
}

/**
 * For each of n floats: x = v + residual; to = bfloat16(x); v = the float that `to` stands for; residual = x - v. A NaN
 * stays NaN. n: a multiple of 8. Returns 1 if everything written is finite.
 */
export function roundFedBack(v: usize, residual: usize, to: usize, n: i32): i32 {
  let odd = i32x4.splat(0);
  for (const end = v + ((<usize>n) << 2); v < end; v += 32, residual += 32, to += 16) {
    const a = f32x4.add(v128.load(v), v128.load(residual));
    const b = f32x4.add(v128.load(v, 16), v128.load(residual, 16));
    const first = nearest(a);
    const second = nearest(b);
    const left = i32x4.shl(first, 16);
    const right = i32x4.shl(second, 16);
    v128.store(v, left);
    v128.store(v, right, 16);
    v128.store(residual, f32x4.sub(a, left));
    v128.store(residual, f32x4.sub(b, right), 16);
    v128.store(to, i16x8.narrow_i32x4_u(first, second));
    // x - x is 0 except for infinities and NaN, for which it is NaN.
    odd = v128.or(odd, v128.or(f32x4.sub(left, left), f32x4.sub(right, right)));
  }
  return i32(!v128.any_true(odd));
}
