// Computes principal components of descriptors, the few directions in which the descriptors of a sample differ most,
// and projects descriptors on them.
import { keyOf, Stream } from '../random.js';

/** The components of the values [first, first + mean.length) of a descriptor. */
export interface Basis {
  readonly mean: Float32Array;
  /** [components, mean.length], of length 1 and perpendicular to each other. */
  readonly vectors: Float32Array;
}

/** Extra directions make the iteration converge faster. The best are kept. */
const SPARE = 8;
/** The rounds of subspace iteration. The error after these is far below that of a sample. */
const ROUNDS = 16;
/** The sweeps of Jacobi's method over a small matrix; its error falls quadratically. */
const SWEEPS = 10;
/** The rows of a sample whose products are added at a time. */
const BLOCK = 64;
/** The columns that are multiplied by all others before the next ones, few enough for the fastest cache. */
const TILE = 32;
/** The values of a product's rows that are added up at a time. */
const STRIP = 512;

/**
 * Computes the components of [rows, width] by subspace iteration (Halko et al. 2011, algorithm 4.4) and the
 * Rayleigh-Ritz method, in double precision and a fixed order. `pause` is awaited from time to time, so that this
 * thread can serve others.
 */
export async function principalComponents(
  sample: Float32Array,
  width: number,
  components: number,
  pause: () => Promise<void> = async () => undefined,
): Promise<Basis> {
  const rows = sample.length / width;
  const mean = meanOf(sample, width);
  const kept = Math.min(components, width);
  const covariance = await gramOf(sample, mean, rows, pause);
  const spare = Math.min(width, kept + SPARE);
  const stream = new Stream(keyOf(0, 'components', width, spare));
  let basis: Float64Array = Float64Array.from({ length: spare * width }, () => stream.uniform() - 0.5);
  orthonormalise(basis, width);
  for (let round = 0; round < ROUNDS; round++) {
    basis = multiplied(basis, covariance, width);
    orthonormalise(basis, width);
    await pause();
  }
  return { mean: Float32Array.from(mean), vectors: Float32Array.from(best(basis, covariance, width, kept)) };
}

/** Projects descriptors, or parts of them, on a basis. */
export class Projection {
  readonly width: number;
  readonly components: number;
  private readonly vectors: Float64Array;
  private readonly centred: Float64Array;

  constructor(private readonly basis: Basis) {
    this.width = basis.mean.length;
    this.components = basis.vectors.length / this.width;
    this.vectors = Float64Array.from(basis.vectors);
    this.centred = new Float64Array(this.width);
  }

  /**
   * Projects the values from element `from` on. Writes the result, scaled to `length`, to `to` from element `at` on; it
   * is 0 for the mean itself.
   */
  project(values: Float32Array, from: number, length: number, to: Float32Array, at: number): void {
    const { width, components, centred, vectors } = this;
    const { mean } = this.basis;
    for (let i = 0; i < width; i++) centred[i] = values[from + i]! - mean[i]!;
    let square = 0;
    for (let c = 0; c < components; c++) {
      const start = c * width;
      // Four sums are computed side by side, so that none waits for another.
      let [a, b, d, e] = [0, 0, 0, 0];
      let i = 0;
      for (; i + 3 < width; i += 4) {
        a += centred[i]! * vectors[start + i]!;
        b += centred[i + 1]! * vectors[start + i + 1]!;
        d += centred[i + 2]! * vectors[start + i + 2]!;
        e += centred[i + 3]! * vectors[start + i + 3]!;
      }
      for (; i < width; i++) a += centred[i]! * vectors[start + i]!;
      const sum = a + b + (d + e);
      to[at + c] = sum;
      square += sum * sum;
    }
    const scale = square > 0 ? length / Math.sqrt(square) : 0;
    for (let c = 0; c < components; c++) to[at + c]! *= scale;
  }
}

function meanOf(sample: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  const rows = sample.length / width;
  for (let r = 0; r < rows; r++) for (let i = 0; i < width; i++) mean[i]! += sample[r * width + i]!;
  return mean.map((sum) => sum / Math.max(1, rows));
}

/** Returns the sums over the rows of the products of each two columns, [width, width]. */
async function gramOf(
  sample: Float32Array,
  mean: Float64Array,
  rows: number,
  pause: () => Promise<void>,
): Promise<Float64Array> {
  const width = mean.length;
  const gram = new Float64Array(width * width);
  /** The columns of a block of rows, one after the other. */
  const columns = new Float64Array(width * BLOCK);
  for (let first = 0; first < rows; first += BLOCK) {
    const count = Math.min(BLOCK, rows - first);
    columns.fill(0);
    for (let r = 0; r < count; r++)
      for (let i = 0; i < width; i++) columns[i * BLOCK + r] = sample[(first + r) * width + i]! - mean[i]!;
    for (let tile = 0; tile < width; tile += TILE) {
      const end = Math.min(width, tile + TILE);
      for (let i = 0; i < end; i++)
        for (let j = Math.max(i, tile); j < end; j++) gram[i * width + j]! += dot(columns, i, j);
    }
    await pause();
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) gram[i * width + j] = gram[j * width + i]!;
  return gram;
}

function dot(columns: Float64Array, i: number, j: number): number {
  const [x, y] = [i * BLOCK, j * BLOCK];
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let r = 0; r < BLOCK; r += 4) {
    a += columns[x + r]! * columns[y + r]!;
    b += columns[x + r + 1]! * columns[y + r + 1]!;
    c += columns[x + r + 2]! * columns[y + r + 2]!;
    d += columns[x + r + 3]! * columns[y + r + 3]!;
  }
  return a + b + (c + d);
}

/**
 * Returns rows [n, width] times a symmetric matrix. All rows take a strip of the matrix before the next one is read,
 * since a wide matrix fits no cache. Each sum is over ascending i; four terms at a time are added to it in registers.
 */
function multiplied(rows: Float64Array, symmetric: Float64Array, width: number): Float64Array {
  const result = new Float64Array(rows.length);
  for (let strip = 0; strip < width; strip += STRIP) {
    const end = Math.min(width, strip + STRIP);
    let i = 0;
    for (; i + 3 < width; i += 4) {
      const [one, two, three, four] = [i * width, (i + 1) * width, (i + 2) * width, (i + 3) * width];
      for (let r = 0; r < rows.length; r += width) {
        const [a, b, c, d] = [rows[r + i]!, rows[r + i + 1]!, rows[r + i + 2]!, rows[r + i + 3]!];
        for (let j = strip; j < end; j++) {
          const sum = result[r + j]! + a * symmetric[one + j]! + b * symmetric[two + j]!;
          result[r + j] = sum + c * symmetric[three + j]! + d * symmetric[four + j]!;
        }
      }
    }
    for (; i < width; i++)
      for (let r = 0; r < rows.length; r += width)
        for (let j = strip; j < end; j++) result[r + j]! += rows[r + i]! * symmetric[i * width + j]!;
  }
  return result;
}

/**
 * Makes rows orthonormal by two passes of the Gram-Schmidt method, which are enough. Rows that depend on those before
 * them become 0.
 */
function orthonormalise(rows: Float64Array, width: number): void {
  for (let r = 0; r < rows.length; r += width) {
    const before = Math.sqrt(product(rows, r, r, width));
    for (let time = 0; time < 2; time++)
      for (let q = 0; q < r; q += width) {
        const along = product(rows, r, q, width);
        for (let i = 0; i < width; i++) rows[r + i]! -= along * rows[q + i]!;
      }
    const left = Math.sqrt(product(rows, r, r, width));
    const scale = left > 1e-12 * before ? 1 / left : 0;
    for (let i = 0; i < width; i++) rows[r + i]! *= scale;
  }
}

function product(rows: Float64Array, a: number, b: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += rows[a + i]! * rows[b + i]!;
  return sum;
}

/** Returns the `kept` directions within a basis in which the covariance is largest, the largest first. */
function best(basis: Float64Array, covariance: Float64Array, width: number, kept: number): Float64Array {
  const count = basis.length / width;
  const image = multiplied(basis, covariance, width);
  const small = new Float64Array(count * count);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < count; j++) {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += basis[i * width + c]! * image[j * width + c]!;
      small[i * count + j] = sum;
    }
  const turns = diagonalised(small, count);
  const order = Array.from({ length: count }, (_, i) => i);
  order.sort((a, b) => small[b * count + b]! - small[a * count + a]! || a - b);
  const result = new Float64Array(kept * width);
  for (const [to, from] of order.slice(0, kept).entries())
    for (let i = 0; i < count; i++) {
      const factor = turns[i * count + from]!;
      for (let c = 0; c < width; c++) result[to * width + c]! += factor * basis[i * width + c]!;
    }
  return result;
}

/**
 * Makes a symmetric matrix diagonal by Jacobi's method (Golub & Van Loan, section 8.5). Returns its eigenvectors, in
 * columns.
 */
function diagonalised(a: Float64Array, n: number): Float64Array {
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const off = a[p * n + q]!;
        if (off === 0) continue;
        const tau = (a[q * n + q]! - a[p * n + p]!) / (2 * off);
        const tangent = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        turn(a, n, p, q, 1, n, cosine, tangent * cosine);
        turn(a, n, p, q, n, 1, cosine, tangent * cosine);
        turn(vectors, n, p, q, 1, n, cosine, tangent * cosine);
      }
  return vectors;
}

/** Rotates columns p and q (across 1, down n), or rows (across n, down 1). */
function turn(
  matrix: Float64Array,
  n: number,
  p: number,
  q: number,
  across: number,
  down: number,
  cosine: number,
  sine: number,
): void {
  for (let i = 0; i < n; i++) {
    const [one, other] = [matrix[i * down + p * across]!, matrix[i * down + q * across]!];
    matrix[i * down + p * across] = cosine * one - sine * other;
    matrix[i * down + q * across] = sine * one + cosine * other;
  }
}
