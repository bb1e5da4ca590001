// Turns spread values into labels. Rows become distributions, whose classes are held to shares (Sinkhorn & Knopp 1967);
// the more certain a row is, the more it weighs.

const PASSES = 20;
const LEAST = 1e-12;
/** The least probability whose logarithm is mixed. */
const LEAST_PROBABILITY = 1e-4;

/**
 * Scales each row so that it sums to 1. A row that nothing has reached gets the same value for all classes, and so
 * weighs nothing.
 */
export function distributions(z: Float64Array, classes: number): Float64Array {
  const q = z.slice();
  for (let from = 0; from < q.length; from += classes) {
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += q[from + c]!;
    for (let c = 0; c < classes; c++) q[from + c] = sum > LEAST ? q[from + c]! / sum : 1 / classes;
  }
  return q;
}

/**
 * Scales classes and rows in turn, until rows sum to 1 and classes nearly to their shares of all rows.
 * @param q [rows, classes], not negative; each row sums to 1
 * @param shares of the classes; undefined: q is not changed
 */
export function balanced(q: Float64Array, classes: number, shares: readonly number[] | undefined): Float64Array {
  if (!shares) return q;
  const rows = q.length / classes;
  const p = q.slice();
  const scales = new Float64Array(classes);
  for (let pass = 0; pass < PASSES; pass++) {
    scales.fill(0);
    for (let i = 0; i < p.length; i += classes) for (let c = 0; c < classes; c++) scales[c]! += p[i + c]!;
    for (let c = 0; c < classes; c++) scales[c] = (shares[c]! * rows) / Math.max(scales[c]!, LEAST);
    for (let i = 0; i < p.length; i += classes) {
      let sum = 0;
      for (let c = 0; c < classes; c++) {
        p[i + c]! *= scales[c]!;
        sum += p[i + c]!;
      }
      for (let c = 0; c < classes; c++) p[i + c] = sum > LEAST ? p[i + c]! / sum : 1 / classes;
    }
  }
  return p;
}

/**
 * Returns the shares of the classes among the likeliest classes of the rows. Every count begins at 1, so that no class
 * has a share of 0. m: distributions [rows, classes].
 */
export function predictedShares(m: Float32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(1);
  for (let from = 0; from < m.length; from += classes) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (m[from + c]! > m[from + best]!) best = c;
    counts[best]!++;
  }
  const total = m.length / classes + classes;
  return counts.map((count) => count / total);
}

/** Returns softmax(part log m + (1 - part) log q) of distributions [rows, classes]. */
export function mixed(m: Float32Array, q: Float64Array, classes: number, part: number): Float64Array {
  const log = (probability: number): number => Math.log(Math.max(probability, LEAST_PROBABILITY));
  const result = new Float64Array(q.length);
  for (let i = 0; i < q.length; i++) result[i] = Math.exp(part * log(m[i]!) + (1 - part) * log(q[i]!));
  return distributions(result, classes);
}

export interface SureLabels {
  readonly classes: Uint16Array;
  /** The weight of each row, 1 - entropy / ln(classes), from 0 to 1. */
  readonly weights: Float32Array;
}

/** Returns the likeliest class of each row, the first of equals, and how certain it is (Iscen et al. 2019, eq. 11). */
export function sureLabels(q: Float64Array, classes: number): SureLabels {
  const rows = q.length / classes;
  const result = { classes: new Uint16Array(rows), weights: new Float32Array(rows) };
  const most = Math.log(classes);
  for (let row = 0; row < rows; row++) {
    const from = row * classes;
    let [best, entropy] = [0, 0];
    for (let c = 0; c < classes; c++) {
      const probability = q[from + c]!;
      if (probability > q[from + best]!) best = c;
      if (probability > 0) entropy -= probability * Math.log(probability);
    }
    result.classes[row] = best;
    result.weights[row] = Math.min(1, Math.max(0, 1 - entropy / most));
  }
  return result;
}
