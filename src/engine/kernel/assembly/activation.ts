// Passes over a hidden layer, [units, rows] with rows a multiple of 8: bias, ReLU and dropout in one, and their
// gradient.
import { fill } from './random';

/**
 * z[u, :] = relu(z[u, :] + bias[u]) in place, then inverted dropout: keep of 65536 are kept, times scale; 65536 draws
 * nothing. Returns the sum of all activations before dropout. Since none is negative, it bounds each of them.
 */
export function reluDropout(z: usize, bias: usize, units: i32, rows: i32, keep: i32, scale: f32, state: usize): f32 {
  return keep >= 65536 ? relu(z, bias, units, rows) : reluMasked(z, bias, units, rows, keep, scale, state);
}

// pmax(a, b) is a < b ? b : a, one instruction instead of max's seven. With the 0 as second argument a NaN stays NaN.

function relu(z: usize, bias: usize, units: i32, rows: i32): f32 {
  const zero = f32x4.splat(0);
  let sum = zero;
  let other = zero;
  for (let u = 0; u < units; u++) {
    const b = f32x4.splat(load<f32>(bias + ((<usize>u) << 2)));
    const end = z + ((<usize>rows) << 2);
    for (; z < end; z += 32) {
      const first = f32x4.pmax(f32x4.add(v128.load(z), b), zero);
      const second = f32x4.pmax(f32x4.add(v128.load(z, 16), b), zero);
      v128.store(z, first);
      v128.store(z, second, 16);
      sum = f32x4.add(sum, first);
      other = f32x4.add(other, second);
    }
  }
  return sumOfLanes(f32x4.add(sum, other));
}

function reluMasked(z: usize, bias: usize, units: i32, rows: i32, keep: i32, scale: f32, state: usize): f32 {
  const zero = f32x4.splat(0);
  const threshold = i32x4.splat(keep);
  const factor = f32x4.splat(scale);
  const low = i32x4.splat(0xffff);
  let sum = zero;
  let other = zero;
  for (let u = 0; u < units; u++) {
    const b = f32x4.splat(load<f32>(bias + ((<usize>u) << 2)));
    const end = z + ((<usize>rows) << 2);
    for (let at = fill(state, (<usize>rows) << 1); z < end; z += 32, at += 16) {
      const bits = v128.load(at);
      const first = f32x4.mul(f32x4.pmax(f32x4.add(v128.load(z), b), zero), factor);
      const second = f32x4.mul(f32x4.pmax(f32x4.add(v128.load(z, 16), b), zero), factor);
      v128.store(z, v128.and(first, i32x4.lt_s(v128.and(bits, low), threshold)));
      v128.store(z, v128.and(second, i32x4.lt_s(i32x4.shr_u(bits, 16), threshold)), 16);
      sum = f32x4.add(sum, first);
      other = f32x4.add(other, second);
    }
  }
  return sumOfLanes(f32x4.add(sum, other));
}

/**
 * Computes the gradient through reluDropout in place: dz = h > 0 ? da * scale : 0 (a dropped unit has h = 0), and
 * dbias[u] = sum of row u. Returns the largest sum of |dz| over a row. Times the largest input it bounds every element
 * of the weights' gradient.
 */
export function reluDropoutGradient(da: usize, h: usize, units: i32, rows: i32, scale: f32, dbias: usize): f32 {
  const zero = f32x4.splat(0);
  const factor = f32x4.splat(scale);
  let largest: f32 = 0;
  for (let u = 0; u < units; u++) {
    let sum = zero;
    let magnitude = zero;
    const end = da + ((<usize>rows) << 2);
    for (; da < end; da += 16, h += 16) {
      const dz = v128.and(f32x4.mul(v128.load(da), factor), f32x4.gt(v128.load(h), zero));
      v128.store(da, dz);
      sum = f32x4.add(sum, dz);
      magnitude = f32x4.add(magnitude, f32x4.abs(dz));
    }
    store<f32>(dbias + ((<usize>u) << 2), sumOfLanes(sum));
    largest = max<f32>(largest, sumOfLanes(magnitude));
  }
  return largest;
}

/**
 * dbias[u] = sum of dz[u, :], for the output layer, whose dz the loss computes. Returns the largest sum of |dz| over a
 * row.
 */
export function biasGradient(dz: usize, units: i32, rows: i32, dbias: usize): f32 {
  let largest: f32 = 0;
  for (let u = 0; u < units; u++) {
    let sum = f32x4.splat(0);
    let magnitude = f32x4.splat(0);
    const end = dz + ((<usize>rows) << 2);
    for (; dz < end; dz += 16) {
      const value = v128.load(dz);
      sum = f32x4.add(sum, value);
      magnitude = f32x4.add(magnitude, f32x4.abs(value));
    }
    store<f32>(dbias + ((<usize>u) << 2), sumOfLanes(sum));
    largest = max<f32>(largest, sumOfLanes(magnitude));
  }
  return largest;
}

export function sumOfLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}
