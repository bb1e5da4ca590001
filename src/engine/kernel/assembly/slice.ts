// Owns what hidden-unit sharding needs besides a layer's passes: a slice's part of the output kernel, and sums of partial logits.

/**
 * The columns [first, first + units) of the output kernel w, [classes, hidden], as to[units, classes].
 * Returns the largest sum of |w| over a unit's classes: with the gradient at the logits it bounds that at the unit.
 */
export function packColumns(w: usize, hidden: i32, first: i32, units: i32, classes: i32, to: usize): f32 {
  const stride = (<usize>hidden) << 2;
  let largest: f32 = 0;
  for (let u = 0; u < units; u++) {
    let at = w + ((<usize>(first + u)) << 2);
    let sum: f32 = 0;
    for (let c = 0; c < classes; c++, at += stride, to += 4) {
      const value = load<f32>(at);
      store<f32>(to, value);
      sum += abs<f32>(value);
    }
    largest = max<f32>(largest, sum);
  }
  return largest;
}

/** z[c, r] = bias[c]. rows: a multiple of 4. */
export function broadcast(bias: usize, classes: i32, rows: i32, z: usize): void {
  for (let c = 0; c < classes; c++) {
    const value = f32x4.splat(load<f32>(bias + ((<usize>c) << 2)));
    const end = z + ((<usize>rows) << 2);
    for (; z < end; z += 16) v128.store(z, value);
  }
}

/** to += from. n: a multiple of 4. */
export function add(to: usize, from: usize, n: i32): void {
  for (const end = to + ((<usize>n) << 2); to < end; to += 16, from += 16) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
  }
}
