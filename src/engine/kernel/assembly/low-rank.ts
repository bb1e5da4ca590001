// Owns the passes of low-rank compression over a matrix m[rows, columns] and its factors, left[rank, rows] and right[rank, columns], each
// column of a factor in one piece (engine/low-rank.ts). Which rows or columns one call takes changes no bit.
import { sumOfLanes } from './activation';

/** left[j, u] = sum over c of m[u, c] right[j, c]. stride: floats from one column of left to the next. */
export function project(m: usize, rows: i32, columns: i32, right: usize, rank: i32, left: usize, stride: i32): void {
  const row = (<usize>columns) << 2;
  const whole = (<usize>(columns & ~3)) << 2;
  let u = 0;
  // Four rows together: a column of `right` is read once for them, and no addition waits for the last.
  for (; u + 4 <= rows; u += 4) {
    const a = m + row * u;
    const b = a + row;
    const c = b + row;
    const d = c + row;
    for (let j = 0; j < rank; j++) {
      const q = right + row * j;
      const to = left + ((<usize>(stride * j + u)) << 2);
      let sumA = f32x4.splat(0);
      let sumB = f32x4.splat(0);
      let sumC = f32x4.splat(0);
      let sumD = f32x4.splat(0);
      for (let i: usize = 0; i < whole; i += 16) {
        const factor = v128.load(q + i);
        sumA = f32x4.add(sumA, f32x4.mul(v128.load(a + i), factor));
        sumB = f32x4.add(sumB, f32x4.mul(v128.load(b + i), factor));
        sumC = f32x4.add(sumC, f32x4.mul(v128.load(c + i), factor));
        sumD = f32x4.add(sumD, f32x4.mul(v128.load(d + i), factor));
      }
      store<f32>(to, withRest(sumA, a, q, whole, row));
      store<f32>(to, withRest(sumB, b, q, whole, row), 4);
      store<f32>(to, withRest(sumC, c, q, whole, row), 8);
      store<f32>(to, withRest(sumD, d, q, whole, row), 12);
    }
  }
  for (; u < rows; u++) {
    const a = m + row * u;
    for (let j = 0; j < rank; j++) {
      const q = right + row * j;
      let sum = f32x4.splat(0);
      for (let i: usize = 0; i < whole; i += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a + i), v128.load(q + i)));
      store<f32>(left + ((<usize>(stride * j + u)) << 2), withRest(sum, a, q, whole, row));
    }
  }
}

function withRest(lanes: v128, a: usize, q: usize, whole: usize, row: usize): f32 {
  let sum = sumOfLanes(lanes);
  for (let i = whole; i < row; i += 4) sum += load<f32>(a + i) * load<f32>(q + i);
  return sum;
}

/** right[j, c] = sum over u of left[j, u] m[u, c], for columns [first, end). stride: floats from one column of left to the next. */
export function projectBack(
  m: usize,
  rows: i32,
  columns: i32,
  first: i32,
  end: i32,
  left: usize,
  stride: i32,
  rank: i32,
  right: usize,
): void {
  const row = (<usize>columns) << 2;
  const from = (<usize>first) << 2;
  const to = (<usize>end) << 2;
  const whole = from + ((<usize>((end - first) & ~3)) << 2);
  for (let j = 0; j < rank; j++) memory.fill(right + row * j + from, 0, to - from);
  let u = 0;
  // Four rows together: a column of `right` is read and written once for them.
  for (; u + 4 <= rows; u += 4) {
    const a = m + row * u;
    const b = a + row;
    const c = b + row;
    const d = c + row;
    for (let j = 0; j < rank; j++) {
      const q = right + row * j;
      const p = left + ((<usize>(stride * j + u)) << 2);
      const factorA = v128.load32_splat(p);
      const factorB = v128.load32_splat(p, 4);
      const factorC = v128.load32_splat(p, 8);
      const factorD = v128.load32_splat(p, 12);
      for (let i = from; i < whole; i += 16) {
        let sum = f32x4.add(v128.load(q + i), f32x4.mul(factorA, v128.load(a + i)));
        sum = f32x4.add(sum, f32x4.mul(factorB, v128.load(b + i)));
        sum = f32x4.add(sum, f32x4.mul(factorC, v128.load(c + i)));
        v128.store(q + i, f32x4.add(sum, f32x4.mul(factorD, v128.load(d + i))));
      }
      for (let i = whole; i < to; i += 4) {
        let sum = load<f32>(q + i) + load<f32>(p) * load<f32>(a + i);
        sum += load<f32>(p, 4) * load<f32>(b + i);
        sum += load<f32>(p, 8) * load<f32>(c + i);
        store<f32>(q + i, sum + load<f32>(p, 12) * load<f32>(d + i));
      }
    }
  }
  for (; u < rows; u++) {
    const a = m + row * u;
    for (let j = 0; j < rank; j++) {
      const q = right + row * j;
      const factor = load<f32>(left + ((<usize>(stride * j + u)) << 2));
      for (let i = from; i < to; i += 4) store<f32>(q + i, load<f32>(q + i) + factor * load<f32>(a + i));
    }
  }
}

/**
 * For the elements [start, end) of a matrix in the order of its rows: to = the sum over j of left[j, u] right[j, c], or, where there is a
 * base (0: none), base less that sum. base, to: addresses of whole matrices, which may be the same.
 */
export function expand(
  left: usize,
  stride: i32,
  right: usize,
  rank: i32,
  columns: i32,
  start: i32,
  end: i32,
  base: usize,
  to: usize,
): void {
  const row = (<usize>columns) << 2;
  for (let at = start; at < end; ) {
    const u = at / columns;
    const first = (<usize>(at - u * columns)) << 2;
    const next = min(end, (u + 1) * columns);
    const last = first + ((<usize>(next - at)) << 2);
    const whole = first + ((<usize>((next - at) & ~15)) << 2);
    const p = left + ((<usize>u) << 2);
    const place = row * u;
    for (let i = first; i < whole; i += 64) {
      let a = f32x4.splat(0);
      let b = f32x4.splat(0);
      let c = f32x4.splat(0);
      let d = f32x4.splat(0);
      for (let j = 0; j < rank; j++) {
        const factor = v128.load32_splat(p + ((<usize>(stride * j)) << 2));
        const q = right + row * j + i;
        a = f32x4.add(a, f32x4.mul(factor, v128.load(q)));
        b = f32x4.add(b, f32x4.mul(factor, v128.load(q, 16)));
        c = f32x4.add(c, f32x4.mul(factor, v128.load(q, 32)));
        d = f32x4.add(d, f32x4.mul(factor, v128.load(q, 48)));
      }
      if (base != 0) {
        const from = base + place + i;
        a = f32x4.sub(v128.load(from), a);
        b = f32x4.sub(v128.load(from, 16), b);
        c = f32x4.sub(v128.load(from, 32), c);
        d = f32x4.sub(v128.load(from, 48), d);
      }
      const into = to + place + i;
      v128.store(into, a);
      v128.store(into, b, 16);
      v128.store(into, c, 32);
      v128.store(into, d, 48);
    }
    for (let i = whole; i < last; i += 4) {
      let sum: f32 = 0;
      for (let j = 0; j < rank; j++) {
        sum += load<f32>(p + ((<usize>(stride * j)) << 2)) * load<f32>(right + row * j + i);
      }
      store<f32>(to + place + i, base == 0 ? sum : load<f32>(base + place + i) - sum);
    }
    at = next;
  }
}
