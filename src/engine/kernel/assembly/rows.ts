// Owns the input of a step: rows of bytes become floats, dropped out or noisy, in both orders that the products read.
// Every matrix here has `padded` rows, a multiple of 8; rows beyond `rows` are 0 and weigh nothing in the loss.
import { fill } from './random';

/** Floats for which random bits are drawn at a time, 16 each. */
const CHUNK: usize = 1024;

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

/** Inverted dropout in place: each of n floats (a multiple of 8) is kept where its 16 random bits are below `keep`, times `scale`. */
export function dropout(x: usize, n: i32, keep: i32, scale: f32, state: usize): void {
  const threshold = i32x4.splat(keep);
  const factor = f32x4.splat(scale);
  const low = i32x4.splat(0xffff);
  for (let left = <usize>n; left > 0; left -= min(left, CHUNK)) {
    const end = x + (min(left, CHUNK) << 2);
    for (let at = fill(state, min(left, CHUNK) << 1); x < end; x += 32, at += 16) {
      const bits = v128.load(at);
      v128.store(x, v128.and(f32x4.mul(v128.load(x), factor), i32x4.lt_s(v128.and(bits, low), threshold)));
      v128.store(x, v128.and(f32x4.mul(v128.load(x, 16), factor), i32x4.lt_s(i32x4.shr_u(bits, 16), threshold)), 16);
    }
  }
}

/** x = clip(x + sigma * N(0, 1), 0, 1) in place, n a multiple of 8; `normals` holds 2^14 equally likely quantiles of N(0, 1). */
export function addNoise(x: usize, n: i32, sigma: f32, normals: usize, state: usize): void {
  for (let left = <usize>n; left > 0; left -= min(left, CHUNK)) {
    const end = x + (min(left, CHUNK) << 2);
    for (let at = fill(state, min(left, CHUNK) << 1); x < end; x += 4, at += 2) {
      const quantile = <usize>(load<u16>(at) & 0x3fff);
      const noisy = load<f32>(x) + sigma * load<f32>(normals + (quantile << 2));
      store<f32>(x, min<f32>(max<f32>(noisy, 0), 1));
    }
  }
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
