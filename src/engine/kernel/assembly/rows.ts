// The input of a step: rows of bytes become floats, with dropout or noise, in both orders that the products read. Every
// matrix here has `padded` rows, a multiple of 8. Rows beyond `rows` are 0 and have weight 0 in the loss.
import { fill } from './random';

/** The floats for which random bits are drawn at a time, 16 bits each. */
const CHUNK: usize = 1024;

/** x[r, :] = images[r, :] / 255. images: bytes, `pixels` per row. */
export function loadRows(images: usize, rows: i32, padded: i32, pixels: i32, x: usize): void {
  const scale: f32 = 1.0 / 255.0;
  const whole = pixels & ~15;
  for (let r = 0; r < rows; r++) {
    const from = images + <usize>r * pixels;
    const to = x + ((<usize>r * pixels) << 2);
    for (let j = 0; j < whole; j += 16) {
      const bytes = v128.load(from + j);
      const at = to + ((<usize>j) << 2);
      const low = i16x8.extend_low_i8x16_u(bytes);
      const high = i16x8.extend_high_i8x16_u(bytes);
      v128.store(at, scaled(i32x4.extend_low_i16x8_u(low), scale));
      v128.store(at, scaled(i32x4.extend_high_i16x8_u(low), scale), 16);
      v128.store(at, scaled(i32x4.extend_low_i16x8_u(high), scale), 32);
      v128.store(at, scaled(i32x4.extend_high_i16x8_u(high), scale), 48);
    }
    for (let j = whole; j < pixels; j++) store<f32>(to + ((<usize>j) << 2), <f32>load<u8>(from + j) * scale);
  }
  memory.fill(x + ((<usize>rows * pixels) << 2), 0, (<usize>(padded - rows) * pixels) << 2);
}

function scaled(integers: v128, scale: f32): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(integers), f32x4.splat(scale));
}

/**
 * Applies inverted dropout in place. Each of n floats (a multiple of 8) is kept if its 16 random bits are below `keep`,
 * and multiplied by `scale`.
 */
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

/** x = clip(x + sigma * N(0, 1), 0, 1) in place for n floats. normals: 2^14 equally likely quantiles of N(0, 1). */
export function addNoise(x: usize, n: i32, sigma: f32, normals: usize, state: usize): void {
  for (let left = <usize>n; left > 0; left -= min(left, CHUNK)) {
    const end = x + (min(left, CHUNK) << 2);
    for (let at = fill(state, ((min(left, CHUNK) << 1) + 15) & ~15); x < end; x += 4, at += 2) {
      const quantile = <usize>(load<u16>(at) & 0x3fff);
      const noisy = load<f32>(x) + sigma * load<f32>(normals + (quantile << 2));
      store<f32>(x, min<f32>(max<f32>(noisy, 0), 1));
    }
  }
}

/** to[columns, rows] = from[rows, columns] transposed. rows: a multiple of 8. */
export function transpose(from: usize, rows: i32, columns: i32, to: usize): void {
  const row = (<usize>columns) << 2;
  const line = (<usize>rows) << 2;
  const whole = columns & ~3;
  // Eight rows at a time: each of their cache lines then serves sixteen columns before it leaves the cache.
  for (let r: usize = 0; r < line; r += 32, from += 8 * row) {
    for (let c = 0; c < whole; c += 4) {
      const source = from + ((<usize>c) << 2);
      const target = to + r + line * c;
      transposeFour(source, row, target, line);
      transposeFour(source + 4 * row, row, target + 16, line);
    }
    for (let c = whole; c < columns; c++) {
      const source = from + ((<usize>c) << 2);
      const target = to + r + line * c;
      for (let i: usize = 0; i < 8; i++) store<f32>(target + (i << 2), load<f32>(source + i * row));
    }
  }
}

function transposeFour(from: usize, row: usize, to: usize, line: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + row);
  const c = v128.load(from + 2 * row);
  const d = v128.load(from + 3 * row);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const abEnd = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdEnd = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(to + line, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
  v128.store(to + 2 * line, v128.shuffle<f32>(abEnd, cdEnd, 0, 1, 4, 5));
  v128.store(to + 3 * line, v128.shuffle<f32>(abEnd, cdEnd, 2, 3, 6, 7));
}
