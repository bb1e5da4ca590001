// The passes that tensor parallelism needs besides a layer's: a tensor shard's part of the output kernel, and sums of
// partial logits.

/**
 * Copies the columns [first, first + units) of the output kernel w, [classes, hidden], to to[classes, units]. sums:
 * scratch, one float per unit. Returns the largest sum of |w| over a unit's classes. With the gradient at the logits it
 * bounds the gradient at the unit.
 */
export function packColumns(w: usize, hidden: i32, first: i32, units: i32, classes: i32, to: usize, sums: usize): f32 {
  const bytes = (<usize>units) << 2;
  const whole = (<usize>(units & ~3)) << 2;
  w += (<usize>first) << 2;
  memory.fill(sums, 0, bytes);
  for (let c = 0; c < classes; c++, w += (<usize>hidden) << 2, to += bytes) {
    for (let u: usize = 0; u < whole; u += 16) {
      const value = v128.load(w + u);
      v128.store(to + u, value);
      v128.store(sums + u, f32x4.add(v128.load(sums + u), f32x4.abs(value)));
    }
    for (let u = whole; u < bytes; u += 4) {
      const value = load<f32>(w + u);
      store<f32>(to + u, value);
      store<f32>(sums + u, load<f32>(sums + u) + abs<f32>(value));
    }
  }
  let largest: f32 = 0;
  for (let u: usize = 0; u < bytes; u += 4) largest = max<f32>(largest, load<f32>(sums + u));
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
