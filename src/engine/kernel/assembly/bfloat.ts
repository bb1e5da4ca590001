// bfloat16, the upper 16 bits of a float: conversions, and passes over matrices of it. Sums and products are floats.
import { sumOfLanes } from './activation';
import { fill } from './random';

/** The nearest bfloat16 of each lane, ties to even, in its lower 16 bits. Infinities stay, and NaN becomes one of either sign. */
export function nearest(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(x, i32x4.add(odd, i32x4.splat(0x7fff))), 16);
  return v128.or(rounded, v128.and(f32x4.ne(x, x), i32x4.splat(0x7fc0)));
}

function lower(x: v128): v128 {
  return i32x4.shl(i32x4.extend_low_i16x8_u(x), 16);
}

function higher(x: v128): v128 {
  return i32x4.shl(i32x4.extend_high_i16x8_u(x), 16);
}

function both(first: v128, second: v128): v128 {
  return i16x8.narrow_i32x4_u(nearest(first), nearest(second));
}

/** to[i] = the bfloat16 nearest to the float from[i]. May be done in place. */
export function round(from: usize, n: i32, to: usize): void {
  const whole = to + ((<usize>(n & ~7)) << 1);
  const end = to + ((<usize>n) << 1);
  for (; to < whole; to += 16, from += 32) v128.store(to, both(v128.load(from), v128.load(from, 16)));
  for (; to < end; to += 2, from += 4) v128.store16_lane(to, nearest(v128.load32_zero(from)), 0);
}

/** The float to[i] = from[i], a bfloat16. Writes up to 7 floats behind the last. May be done in place from the upper half of `to`. */
export function widen(from: usize, n: i32, to: usize): void {
  for (const end = to + ((<usize>n) << 2); to < end; to += 32, from += 16) {
    const values = v128.load(from);
    v128.store(to, lower(values));
    v128.store(to, higher(values), 16);
  }
}

/** The floats to += from, of bfloat16. Writes up to 7 floats behind the last. */
export function addBf16(to: usize, from: usize, n: i32): void {
  for (const end = to + ((<usize>n) << 2); to < end; to += 32, from += 16) {
    const values = v128.load(from);
    v128.store(to, f32x4.add(v128.load(to), lower(values)));
    v128.store(to, f32x4.add(v128.load(to, 16), higher(values)), 16);
  }
}

/** As reluDropout() in activation.ts, with the same masks, for z of bfloat16. The sum is of the activations before they are rounded. */
export function reluDropoutBf16(
  z: usize,
  bias: usize,
  units: i32,
  rows: i32,
  keep: i32,
  scale: f32,
  state: usize,
): f32 {
  const zero = f32x4.splat(0);
  const threshold = i32x4.splat(keep);
  const factor = f32x4.splat(scale);
  const low = i32x4.splat(0xffff);
  const draws = keep < 65536;
  let sum = zero;
  let other = zero;
  for (let u = 0; u < units; u++) {
    const b = f32x4.splat(load<f32>(bias + ((<usize>u) << 2)));
    const end = z + ((<usize>rows) << 1);
    for (let at = draws ? fill(state, (<usize>rows) << 1) : 0; z < end; z += 16) {
      const values = v128.load(z);
      let first = f32x4.mul(f32x4.pmax(f32x4.add(lower(values), b), zero), factor);
      let second = f32x4.mul(f32x4.pmax(f32x4.add(higher(values), b), zero), factor);
      sum = f32x4.add(sum, first);
      other = f32x4.add(other, second);
      if (draws) {
        const bits = v128.load(at);
        first = v128.and(first, i32x4.lt_s(v128.and(bits, low), threshold));
        second = v128.and(second, i32x4.lt_s(i32x4.shr_u(bits, 16), threshold));
        at += 16;
      }
      v128.store(z, both(first, second));
    }
  }
  return sumOfLanes(f32x4.add(sum, other));
}

/** As reluDropoutGradient() in activation.ts, for da and h of bfloat16. dbias: floats. The sums are of dz before it is rounded. */
export function reluDropoutGradientBf16(da: usize, h: usize, units: i32, rows: i32, scale: f32, dbias: usize): f32 {
  const zero = f32x4.splat(0);
  const factor = f32x4.splat(scale);
  let largest: f32 = 0;
  for (let u = 0; u < units; u++) {
    let sum = zero;
    let magnitude = zero;
    const end = da + ((<usize>rows) << 1);
    for (; da < end; da += 16, h += 16) {
      const values = v128.load(da);
      const outputs = v128.load(h);
      const first = v128.and(f32x4.mul(lower(values), factor), f32x4.gt(lower(outputs), zero));
      const second = v128.and(f32x4.mul(higher(values), factor), f32x4.gt(higher(outputs), zero));
      v128.store(da, both(first, second));
      sum = f32x4.add(sum, f32x4.add(first, second));
      magnitude = f32x4.add(magnitude, f32x4.add(f32x4.abs(first), f32x4.abs(second)));
    }
    store<f32>(dbias + ((<usize>u) << 2), sumOfLanes(sum));
    largest = max<f32>(largest, sumOfLanes(magnitude));
  }
  return largest;
}
