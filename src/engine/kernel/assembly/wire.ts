// Rounds sums to bfloat16 before they travel over a network.
import { nearest } from './bfloat';

/**
 * For each of n floats: x = v + residual; to = bfloat16(x); v = what `to` stands for; residual = x - v. A NaN stays one. n: a multiple of 8.
 * Returns 1 if all that was written is finite.
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
    // x - x is 0 but for infinities and NaN, whose result is NaN.
    odd = v128.or(odd, v128.or(f32x4.sub(left, left), f32x4.sub(right, right)));
  }
  return i32(!v128.any_true(odd));
}
