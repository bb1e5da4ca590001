// Computes exp and log of four floats at a time with basic operations only, so that every machine has the same bits,
// within 2 ulp.

/**
 * Returns e^x for finite x, clamped to [-87, 88]; NaN stays NaN. It reduces the range to |r| <= ln 2 / 2, and uses the
 * Taylor series to r^7.
 */
export function exp(x: v128): v128 {
  x = f32x4.max(f32x4.min(x, f32x4.splat(88)), f32x4.splat(-87));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896)));
  // ln 2 is split in two parts. The first is exact in 9 bits, so that n times it is exact too.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, f32x4.splat(2.12194440054690583e-4)));
  let sum = f32x4.splat(1.0 / 5040.0);
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 720.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 120.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 24.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1.0 / 6.0));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(0.5));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  sum = f32x4.add(f32x4.mul(sum, r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(sum, power);
}

/** Returns log(1 + e) for e in [0, 1], as 2 atanh(e / (2 + e)). */
export function log1p(e: v128): v128 {
  const s = f32x4.div(e, f32x4.add(e, f32x4.splat(2)));
  const square = f32x4.mul(s, s);
  let sum = f32x4.splat(2.0 / 13.0);
  sum = f32x4.add(f32x4.mul(sum, square), f32x4.splat(2.0 / 11.0));
  sum = f32x4.add(f32x4.mul(sum, square), f32x4.splat(2.0 / 9.0));
  sum = f32x4.add(f32x4.mul(sum, square), f32x4.splat(2.0 / 7.0));
  sum = f32x4.add(f32x4.mul(sum, square), f32x4.splat(2.0 / 5.0));
  sum = f32x4.add(f32x4.mul(sum, square), f32x4.splat(2.0 / 3.0));
  sum = f32x4.add(f32x4.mul(sum, square), f32x4.splat(2));
  return f32x4.mul(sum, s);
}

/** Returns log y for normal y >= 1. */
export function log(y: v128): v128 {
  const exponent = i32x4.sub(i32x4.shr_u(y, 23), i32x4.splat(127));
  const mantissa = v128.or(v128.and(y, i32x4.splat(0x007fffff)), i32x4.splat(0x3f800000));
  const rest = log1p(f32x4.sub(mantissa, f32x4.splat(1)));
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(exponent), f32x4.splat(0.6931471805599453)), rest);
}
