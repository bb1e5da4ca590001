// Owns the input of a step: rows of bytes become floats, dropped out or noisy, in both orders that the products read.
// Every matrix here has `padded` rows, a multiple of 8; rows beyond `rows` are 0 and weigh nothing in the loss.
import { next, resume, suspend } from './random';

/** x[r, :] = images[indices[r], :] / 255; `indices` are u32 positions in `images`, bytes of `pixels` a row. */
export function loadRows(images: usize, indices: usize, rows: i32, padded: i32, pixels: i32, x: usize): void {
  const scale: f32 = 1.0 / 255.0;
  for (let r = 0; r < rows; r++) {
    const from = images + <usize>load<u32>(indices + ((<usize>r) << 2)) * pixels;
    const to = x + ((<usize>r * pixels) << 2);
    for (let j = 0; j < pixels; j++) store<f32>(to + ((<usize>j) << 2), <f32>load<u8>(from + j) * scale);
  }
  memory.fill(x + ((<usize>rows * pixels) << 2), 0, (<usize>(padded - rows) * pixels) << 2);
}

/** Inverted dropout in place: each of n floats is kept where its 16 random bits are below `keep`, times `scale`. */
export function dropout(x: usize, n: i32, keep: i32, scale: f32, state: usize): void {
  resume(state);
  const threshold = i32x4.splat(keep);
  const factor = f32x4.splat(scale);
  const low = i32x4.splat(0xffff);
  const end = x + ((<usize>n) << 2);
  for (; x < end; x += 32) {
    const bits = next();
    v128.store(x, v128.and(f32x4.mul(v128.load(x), factor), i32x4.lt_u(v128.and(bits, low), threshold)));
    v128.store(x, v128.and(f32x4.mul(v128.load(x, 16), factor), i32x4.lt_u(i32x4.shr_u(bits, 16), threshold)), 16);
  }
  suspend(state);
}

/** x = clip(x + sigma * N(0, 1), 0, 1) in place; `normals` holds the 2^14 equally likely quantiles of N(0, 1). */
export function addNoise(x: usize, n: i32, sigma: f32, normals: usize, state: usize): void {
  resume(state);
  const end = x + ((<usize>n) << 2);
  for (; x < end; x += 16) {
    const bits = v128.and(next(), i32x4.splat(0x3fff));
    addOne(x, i32x4.extract_lane(bits, 0), sigma, normals);
    addOne(x + 4, i32x4.extract_lane(bits, 1), sigma, normals);
    addOne(x + 8, i32x4.extract_lane(bits, 2), sigma, normals);
    addOne(x + 12, i32x4.extract_lane(bits, 3), sigma, normals);
  }
  suspend(state);
}

function addOne(x: usize, quantile: i32, sigma: f32, normals: usize): void {
  const noisy = load<f32>(x) + sigma * load<f32>(normals + ((<usize>quantile) << 2));
  store<f32>(x, min<f32>(max<f32>(noisy, 0), 1));
}

/** to[columns, rows] = from[rows, columns] transposed. */
export function transpose(from: usize, rows: i32, columns: i32, to: usize): void {
  // Eight rows at a time: their cache lines serve sixteen columns before they are needed no more.
  for (let r0 = 0; r0 < rows; r0 += 8) {
    for (let c = 0; c < columns; c++) {
      const line = to + ((<usize>c * rows) << 2);
      for (let r = r0; r < r0 + 8; r++) {
        store<f32>(line + ((<usize>r) << 2), load<f32>(from + ((<usize>r * columns + c) << 2)));
      }
    }
  }
}
