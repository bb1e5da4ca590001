// Reduction and optimizer: sums the gradient buffers of V shards in a fixed binary tree, and applies the sum in the same
// pass.
//
// An update in place is not idempotent, and a worker can die in any instruction. Each slice therefore keeps an update
// log. The new values of a chunk are staged first; then `progress` says that they are complete; then they are copied. A
// later call with the same update id continues where the dead worker stopped, and the result has the same bits.
//
//   update log:  id (i32) | progress (i32) | 56 bytes of the caller | staged p, m, v (3 chunks) | sums (LEVELS chunks)
//   progress: 2k     chunks 0 .. k-1 are done
//             2k + 1 chunk k is staged, and perhaps partly copied

const UPDATE_CHUNK: i32 = 1024;
const CHUNK_BYTES: usize = 4096;
const STAGED: usize = 64;
const SUMS: usize = STAGED + 3 * CHUNK_BYTES;

/**
 * p = keep * p - c * m with m = a * m + b * g. This is SGD (a = 0, b = 1, c = rate), momentum, and Lee's damped
 * momentum (b = (1 - a) * rate, c = 1).
 * nesterov: the step is a * m + b * g instead of m, with the new m. It uses the gradient at the point that the momentum
 * leads to (Nesterov 1983; PyTorch's form).
 */
export function momentum(
  p: usize,
  m: usize,
  gradientBuffers: usize,
  stride: usize,
  shards: i32,
  start: i32,
  end: i32,
  a: f32,
  b: f32,
  c: f32,
  keep: f32,
  nesterov: i32,
  id: i32,
  updateLog: usize,
): void {
  const staged = updateLog + STAGED;
  for (let k = begin(p, m, 0, start, end, id, updateLog); start + k * UPDATE_CHUNK < end; k++) {
    const at = (<usize>(start + k * UPDATE_CHUNK)) << 2;
    const bytes = (<usize>min(end - (start + k * UPDATE_CHUNK), UPDATE_CHUNK)) << 2;
    const g = sumOfBuffers(gradientBuffers, stride, 0, 0, shards, at, bytes, updateLog + SUMS);
    for (let i: usize = 0; i < bytes; i += 16) {
      const gradient = f32x4.mul(f32x4.splat(b), v128.load(g + i));
      const first = f32x4.add(f32x4.mul(f32x4.splat(a), v128.load(m + at + i)), gradient);
      const step = nesterov != 0 ? f32x4.add(f32x4.mul(f32x4.splat(a), first), gradient) : first;
      const kept = f32x4.mul(f32x4.splat(keep), v128.load(p + at + i));
      v128.store(staged + CHUNK_BYTES + i, first);
      v128.store(staged + i, f32x4.sub(kept, f32x4.mul(f32x4.splat(c), step)));
    }
    commit(k, p + at, m + at, 0, bytes, updateLog);
  }
}

/**
 * Adam (Kingma & Ba 2015, algorithm 1): c1 = 1 / (1 - b1^t), c2 = 1 / (1 - b2^t). keep: 1 - rate * weight decay, which
 * is apart from the gradient (AdamW: Loshchilov & Hutter 2019, algorithm 2). scale: the factor of the gradient, 1
 * unless it is clipped.
 */
export function adam(
  p: usize,
  m: usize,
  v: usize,
  gradientBuffers: usize,
  stride: usize,
  shards: i32,
  start: i32,
  end: i32,
  rate: f32,
  b1: f32,
  b2: f32,
  c1: f32,
  c2: f32,
  epsilon: f32,
  keep: f32,
  scale: f32,
  id: i32,
  updateLog: usize,
): void {
  const staged = updateLog + STAGED;
  for (let k = begin(p, m, v, start, end, id, updateLog); start + k * UPDATE_CHUNK < end; k++) {
    const at = (<usize>(start + k * UPDATE_CHUNK)) << 2;
    const bytes = (<usize>min(end - (start + k * UPDATE_CHUNK), UPDATE_CHUNK)) << 2;
    const g = sumOfBuffers(gradientBuffers, stride, 0, 0, shards, at, bytes, updateLog + SUMS);
    for (let i: usize = 0; i < bytes; i += 16) {
      const gradient = f32x4.mul(f32x4.splat(scale), v128.load(g + i));
      const first = f32x4.add(
        f32x4.mul(f32x4.splat(b1), v128.load(m + at + i)),
        f32x4.mul(f32x4.splat(1 - b1), gradient),
      );
      const square = f32x4.mul(f32x4.splat(1 - b2), f32x4.mul(gradient, gradient));
      const second = f32x4.add(f32x4.mul(f32x4.splat(b2), v128.load(v + at + i)), square);
      const root = f32x4.add(f32x4.sqrt(f32x4.mul(second, f32x4.splat(c2))), f32x4.splat(epsilon));
      const step = f32x4.div(f32x4.mul(first, f32x4.splat(rate * c1)), root);
      v128.store(staged + i, f32x4.sub(f32x4.mul(f32x4.splat(keep), v128.load(p + at + i)), step));
      v128.store(staged + CHUNK_BYTES + i, first);
      v128.store(staged + 2 * CHUNK_BYTES + i, second);
    }
    commit(k, p + at, m + at, v + at, bytes, updateLog);
  }
}

/** Returns the first chunk that is still to do, after completing one that was staged. v = 0: there is none. */
function begin(p: usize, m: usize, v: usize, start: i32, end: i32, id: i32, updateLog: usize): i32 {
  if (atomic.load<i32>(updateLog) != id) {
    // This order matters: if the worker dies between the two, the old id stays, and the next call begins again.
    atomic.store<i32>(updateLog, 0, 4);
    atomic.store<i32>(updateLog, id);
    return 0;
  }
  const progress = atomic.load<i32>(updateLog, 4);
  const k = progress >> 1;
  if ((progress & 1) == 0) return k;
  const at = (<usize>(start + k * UPDATE_CHUNK)) << 2;
  const bytes = (<usize>min(end - (start + k * UPDATE_CHUNK), UPDATE_CHUNK)) << 2;
  copyStaged(k, p + at, m + at, v == 0 ? 0 : v + at, bytes, updateLog);
  return k + 1;
}

function commit(k: i32, p: usize, m: usize, v: usize, bytes: usize, updateLog: usize): void {
  // The store is atomic, so that the staged values are in memory before the update log says so.
  atomic.store<i32>(updateLog, 2 * k + 1, 4);
  copyStaged(k, p, m, v, bytes, updateLog);
}

function copyStaged(k: i32, p: usize, m: usize, v: usize, bytes: usize, updateLog: usize): void {
  const staged = updateLog + STAGED;
  memory.copy(p, staged, bytes);
  memory.copy(m, staged + CHUNK_BYTES, bytes);
  if (v != 0) memory.copy(v, staged + 2 * CHUNK_BYTES, bytes);
  atomic.store<i32>(updateLog, 2 * (k + 1), 4);
}

/**
 * to = the sum of the gradient buffers [first, first + count), a subtree, over the floats [start, end) of each. `to`
 * may be gradient buffer `first` itself. counts[i] (i32): the number of gradients that gradient buffer i already is the
 * sum of. sums: scratch of LEVELS chunks. Returns 1 if every sum is finite. It may be repeated, unless it is done in
 * place.
 */
export function sum(
  gradientBuffers: usize,
  stride: usize,
  counts: usize,
  first: i32,
  count: i32,
  start: i32,
  end: i32,
  to: usize,
  sums: usize,
): i32 {
  let odd = i32x4.splat(0);
  for (let chunk = start; chunk < end; chunk += UPDATE_CHUNK) {
    const at = (<usize>chunk) << 2;
    const bytes = (<usize>min(end - chunk, UPDATE_CHUNK)) << 2;
    const total = sumOfBuffers(gradientBuffers, stride, counts, first, count, at, bytes, sums);
    for (let i: usize = 0; i < bytes; i += 16) {
      const values = v128.load(total + i);
      // x - x is 0 except for infinities and NaN, for which it is NaN.
      odd = v128.or(odd, f32x4.sub(values, values));
      v128.store(to + at + i, values);
    }
  }
  return i32(!v128.any_true(odd));
}

/**
 * Sums the gradient buffers [first, first + count), for the floats at byte `at` of each, as a tree that splits at the
 * largest power of two below count: ((0+1)+(2+3))+(4). Any whole subtree can be summed elsewhere with the same bits.
 * counts (0: none) says which gradient buffers already hold such a sum. Returns the address of the sum: in `sums`, or
 * in the one gradient buffer itself.
 */
function sumOfBuffers(
  gradientBuffers: usize,
  stride: usize,
  counts: usize,
  first: i32,
  count: i32,
  at: usize,
  bytes: usize,
  sums: usize,
): usize {
  const isOne = count == 1 || (counts != 0 && load<i32>(counts + ((<usize>first) << 2)) == count);
  if (isOne) return gradientBuffers + stride * first + at;
  const half = 1 << (31 - clz(count - 1));
  const left = sumOfBuffers(gradientBuffers, stride, counts, first, half, at, bytes, sums);
  const right = sumOfBuffers(
    gradientBuffers,
    stride,
    counts,
    first + half,
    count - half,
    at,
    bytes,
    sums + CHUNK_BYTES,
  );
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(sums + i, f32x4.add(v128.load(left + i), v128.load(right + i)));
  }
  return sums;
}
