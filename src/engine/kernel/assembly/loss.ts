// The output layer, [classes, rows] with rows a multiple of 8: losses with their gradients, and predicted classes.
import { exp, log, log1p } from './approximate';

/**
 * Computes the softmax cross-entropy. z (logits without bias) becomes dz = weights[r] * (softmax(z + bias) - targets)
 * in place; losses[r] = -sum_c targets[c, r] * log softmax_c, not weighted. targets: [classes, rows], each row summing
 * to 1.
 */
export function softmaxCrossEntropy(
  z: usize,
  bias: usize,
  targets: usize,
  weights: usize,
  classes: i32,
  rows: i32,
  losses: usize,
): void {
  const stride = (<usize>rows) << 2;
  const size = stride * classes;
  for (let r: usize = 0; r < stride; r += 16) {
    const most = addBias(z + r, bias, stride, size);
    let sum = f32x4.splat(0);
    let dot = f32x4.splat(0);
    for (let at = r; at < size; at += stride) {
      const shifted = f32x4.sub(v128.load(z + at), most);
      const e = exp(shifted);
      v128.store(z + at, e);
      sum = f32x4.add(sum, e);
      dot = f32x4.add(dot, f32x4.mul(v128.load(targets + at), shifted));
    }
    v128.store(losses + r, f32x4.sub(log(sum), dot));
    const weight = v128.load(weights + r);
    for (let at = r; at < size; at += stride) {
      const error = f32x4.sub(f32x4.div(v128.load(z + at), sum), v128.load(targets + at));
      v128.store(z + at, f32x4.mul(weight, error));
    }
  }
}

/**
 * Computes the cross-entropy of independent sigmoid units (Lee 2013, section "Deep Neural Networks"). z becomes dz =
 * weights[r] * (sigmoid(z + bias) - targets) in place; losses[r] = -sum_c t log f + (1 - t) log(1 - f), not weighted,
 * computed as max(z, 0) - z t + log(1 + e^-|z|).
 */
export function sigmoidCrossEntropy(
  z: usize,
  bias: usize,
  targets: usize,
  weights: usize,
  classes: i32,
  rows: i32,
  losses: usize,
): void {
  const stride = (<usize>rows) << 2;
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  memory.fill(losses, 0, stride);
  for (let c = 0; c < classes; c++) {
    const b = f32x4.splat(load<f32>(bias + ((<usize>c) << 2)));
    for (let r: usize = 0; r < stride; r += 16) {
      const logit = f32x4.add(v128.load(z + r), b);
      const target = v128.load(targets + r);
      const e = exp(f32x4.neg(f32x4.abs(logit)));
      const loss = f32x4.add(f32x4.sub(f32x4.max(logit, zero), f32x4.mul(logit, target)), log1p(e));
      v128.store(losses + r, f32x4.add(v128.load(losses + r), loss));
      const numerator = v128.bitselect(e, one, f32x4.lt(logit, zero));
      const output = f32x4.div(numerator, f32x4.add(one, e));
      v128.store(z + r, f32x4.mul(v128.load(weights + r), f32x4.sub(output, target)));
    }
    z += stride;
    targets += stride;
  }
}

/**
 * masses[c] = four sums of the softmax output c, over the rows 0, 1, 2, 3 modulo 4 below `counted`. Adds the bias to
 * the logits of these rows in place. The rows from `counted` on are padding.
 */
export function softmaxMasses(z: usize, bias: usize, classes: i32, rows: i32, counted: i32, masses: usize): void {
  const stride = (<usize>rows) << 2;
  const size = stride * classes;
  memory.fill(masses, 0, (<usize>classes) << 4);
  for (let r: usize = 0, row = 0; row < counted; r += 16, row += 4) {
    const most = addBias(z + r, bias, stride, size);
    let sum = f32x4.splat(0);
    for (let at = r; at < size; at += stride) sum = f32x4.add(sum, exp(f32x4.sub(v128.load(z + at), most)));
    const counts = i32x4.lt_s(i32x4.add(i32x4.splat(row), i32x4(0, 1, 2, 3)), i32x4.splat(counted));
    for (let at = r, to = masses; at < size; at += stride, to += 16) {
      const share = f32x4.div(exp(f32x4.sub(v128.load(z + at), most)), sum);
      v128.store(to, f32x4.add(v128.load(to), v128.and(share, counts)));
    }
  }
}

/**
 * predicted[r] (u16) = argmax_c (z + bias), the lowest of equals; confidences[r] = that class's softmax (or sigmoid)
 * output.
 */
export function classify(
  z: usize,
  bias: usize,
  classes: i32,
  rows: i32,
  softmax: bool,
  predicted: usize,
  confidences: usize,
): void {
  const stride = (<usize>rows) << 2;
  const size = stride * classes;
  const one = f32x4.splat(1);
  for (let r: usize = 0; r < stride; r += 16) {
    const most = addBias(z + r, bias, stride, size);
    let best = i32x4.splat(0);
    let found = i32x4.splat(0);
    let sum = f32x4.splat(0);
    for (let at = r, c = 0; at < size; at += stride, c++) {
      const logit = v128.load(z + at);
      const isBest = v128.andnot(f32x4.eq(logit, most), found);
      best = v128.bitselect(i32x4.splat(c), best, isBest);
      found = v128.or(found, isBest);
      if (softmax) sum = f32x4.add(sum, exp(f32x4.sub(logit, most)));
    }
    v128.store(confidences + r, f32x4.div(one, softmax ? sum : f32x4.add(one, exp(f32x4.neg(most)))));
    const to = predicted + (r >> 1);
    store<u16>(to, <u16>i32x4.extract_lane(best, 0));
    store<u16>(to, <u16>i32x4.extract_lane(best, 1), 2);
    store<u16>(to, <u16>i32x4.extract_lane(best, 2), 4);
    store<u16>(to, <u16>i32x4.extract_lane(best, 3), 6);
  }
}

/** Adds the bias to four rows in place. Returns their largest logits. */
function addBias(z: usize, bias: usize, stride: usize, size: usize): v128 {
  let most = f32x4.splat(-Infinity);
  for (let at: usize = 0; at < size; at += stride, bias += 4) {
    const logit = f32x4.add(v128.load(z + at), f32x4.splat(load<f32>(bias)));
    v128.store(z + at, logit);
    most = f32x4.max(most, logit);
  }
  return most;
}
