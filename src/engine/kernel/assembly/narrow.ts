// The three products of a layer of few units (models/dense/narrow-layer.ts): inputs x[inputs, rows], weights w[units,
// inputs], and the units' matrices z and dz [units, rows].
import { sumOfLanes } from './activation';

/** z[j, r] = sum over i of w[j, i] x[i, r]. */
export function narrowForward(x: usize, inputs: i32, rows: i32, w: usize, units: i32, z: usize): void {
  const row = (<usize>rows) << 2;
  const whole = (<usize>(rows & ~3)) << 2;
  memory.fill(z, 0, row * units);
  let i = 0;
  // Four inputs together: a row of z is read and written once for them.
  for (; i + 4 <= inputs; i += 4) {
    const a = x + row * i;
    const b = a + row;
    const c = b + row;
    const d = c + row;
    for (let j = 0; j < units; j++) {
      const q = z + row * j;
      const p = w + ((<usize>(inputs * j + i)) << 2);
      const factorA = v128.load32_splat(p);
      const factorB = v128.load32_splat(p, 4);
      const factorC = v128.load32_splat(p, 8);
      const factorD = v128.load32_splat(p, 12);
      for (let r: usize = 0; r < whole; r += 16) {
        let sum = f32x4.add(v128.load(q + r), f32x4.mul(factorA, v128.load(a + r)));
        sum = f32x4.add(sum, f32x4.mul(factorB, v128.load(b + r)));
        sum = f32x4.add(sum, f32x4.mul(factorC, v128.load(c + r)));
        v128.store(q + r, f32x4.add(sum, f32x4.mul(factorD, v128.load(d + r))));
      }
      for (let r = whole; r < row; r += 4) {
        let sum = load<f32>(q + r) + load<f32>(p) * load<f32>(a + r);
        sum += load<f32>(p, 4) * load<f32>(b + r);
        sum += load<f32>(p, 8) * load<f32>(c + r);
        store<f32>(q + r, sum + load<f32>(p, 12) * load<f32>(d + r));
      }
    }
  }
  for (; i < inputs; i++) {
    const a = x + row * i;
    for (let j = 0; j < units; j++) {
      const q = z + row * j;
      const factor = load<f32>(w + ((<usize>(inputs * j + i)) << 2));
      for (let r: usize = 0; r < row; r += 4) store<f32>(q + r, load<f32>(q + r) + factor * load<f32>(a + r));
    }
  }
}

/** dw[j, i] = sum over r of x[i, r] dz[j, r]. */
export function narrowKernelGradient(x: usize, inputs: i32, rows: i32, dz: usize, units: i32, dw: usize): void {
  const row = (<usize>rows) << 2;
  const whole = (<usize>(rows & ~3)) << 2;
  let i = 0;
  // Four inputs together: a row of dz is read once for them, and no addition waits for the one before.
  for (; i + 4 <= inputs; i += 4) {
    const a = x + row * i;
    const b = a + row;
    const c = b + row;
    const d = c + row;
    for (let j = 0; j < units; j++) {
      const q = dz + row * j;
      const to = dw + ((<usize>(inputs * j + i)) << 2);
      let sumA = f32x4.splat(0);
      let sumB = f32x4.splat(0);
      let sumC = f32x4.splat(0);
      let sumD = f32x4.splat(0);
      for (let r: usize = 0; r < whole; r += 16) {
        const factor = v128.load(q + r);
        sumA = f32x4.add(sumA, f32x4.mul(v128.load(a + r), factor));
        sumB = f32x4.add(sumB, f32x4.mul(v128.load(b + r), factor));
        sumC = f32x4.add(sumC, f32x4.mul(v128.load(c + r), factor));
        sumD = f32x4.add(sumD, f32x4.mul(v128.load(d + r), factor));
      }
      store<f32>(to, withRest(sumA, a, q, whole, row));
      store<f32>(to, withRest(sumB, b, q, whole, row), 4);
      store<f32>(to, withRest(sumC, c, q, whole, row), 8);
      store<f32>(to, withRest(sumD, d, q, whole, row), 12);
    }
  }
  for (; i < inputs; i++) {
    const a = x + row * i;
    for (let j = 0; j < units; j++) {
      const q = dz + row * j;
      let sum = f32x4.splat(0);
      for (let r: usize = 0; r < whole; r += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a + r), v128.load(q + r)));
      store<f32>(dw + ((<usize>(inputs * j + i)) << 2), withRest(sum, a, q, whole, row));
    }
  }
}

function withRest(lanes: v128, a: usize, q: usize, whole: usize, row: usize): f32 {
  let sum = sumOfLanes(lanes);
  for (let i = whole; i < row; i += 4) sum += load<f32>(a + i) * load<f32>(q + i);
  return sum;
}

/** dx[i, r] = sum over j of w[j, i] dz[j, r]. */
export function narrowInputGradient(w: usize, inputs: i32, dz: usize, units: i32, rows: i32, dx: usize): void {
  const row = (<usize>rows) << 2;
  const whole = (<usize>(rows & ~15)) << 2;
  for (let i = 0; i < inputs; i++) {
    const p = w + ((<usize>i) << 2);
    const to = dx + row * i;
    for (let r: usize = 0; r < whole; r += 64) {
      let a = f32x4.splat(0);
      let b = f32x4.splat(0);
      let c = f32x4.splat(0);
      let d = f32x4.splat(0);
      for (let j = 0; j < units; j++) {
        const factor = v128.load32_splat(p + ((<usize>(inputs * j)) << 2));
        const q = dz + row * j + r;
        a = f32x4.add(a, f32x4.mul(factor, v128.load(q)));
        b = f32x4.add(b, f32x4.mul(factor, v128.load(q, 16)));
        c = f32x4.add(c, f32x4.mul(factor, v128.load(q, 32)));
        d = f32x4.add(d, f32x4.mul(factor, v128.load(q, 48)));
      }
      v128.store(to + r, a);
      v128.store(to + r, b, 16);
      v128.store(to + r, c, 32);
      v128.store(to + r, d, 48);
    }
    for (let r = whole; r < row; r += 4) {
      let sum: f32 = 0;
      for (let j = 0; j < units; j++) {
        sum += load<f32>(p + ((<usize>(inputs * j)) << 2)) * load<f32>(dz + row * j + r);
      }
      store<f32>(to + r, sum);
    }
  }
}
