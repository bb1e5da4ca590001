// Label propagation (Zhou et al. 2004, "Learning with local and global consistency"; on nearest neighbours with cubed
// cosines: Iscen et al. 2019): labels spread over the edges of a graph until they settle. It runs at the coordinator,
// where the labels are, in double precision and a fixed order.
import type { Neighbours } from './neighbours.js';
import type { Spread } from './settings.js';

/** The least degree of a row, so that a row without edges is not divided by 0. */
const LEAST_DEGREE = 1e-9;
/** The rows between two pauses. They take a fifth of a second, because their neighbours are scattered over memory. */
const ROWS_AT_ONCE = 2 ** 16;

/**
 * Edges between rows. Those of row i are [starts[i], starts[i + 1]). Two rows that are each other's neighbours have two
 * edges.
 */
export interface Graph {
  readonly count: number;
  readonly starts: Uint32Array;
  readonly to: Uint32Array;
  /** The weights of the edges in S = D^-1/2 W D^-1/2. */
  readonly weights: Float64Array;
}

/**
 * Makes the graph with W = A + A^T, where A has the cubed cosines of each row's neighbours. Negative cosines count as
 * 0.
 */
export function graphOf({ rows, cosines }: Neighbours, count: number): Graph {
  const k = rows.length / count;
  const starts = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) starts[i + 1]! += k;
  for (const row of rows) starts[row + 1]! += 1;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice(0, count);
  const to = new Uint32Array(2 * rows.length);
  const weights = new Float64Array(2 * rows.length);
  const degrees = new Float64Array(count);
  for (let i = 0; i < count; i++)
    for (let e = i * k; e < (i + 1) * k; e++) {
      const cosine = Math.max(0, cosines[e]!);
      const weight = cosine * cosine * cosine;
      const j = rows[e]!;
      for (const [from, target] of [
        [i, j],
        [j, i],
      ] as const) {
        const at = next[from]!++;
        to[at] = target;
        weights[at] = weight;
        degrees[from]! += weight;
      }
    }
  const scales = degrees.map((degree) => 1 / Math.sqrt(Math.max(degree, LEAST_DEGREE)));
  for (let i = 0; i < count; i++)
    for (let e = starts[i]!; e < starts[i + 1]!; e++) weights[e]! *= scales[i]! * scales[to[e]!]!;
  return { count, starts, to, weights };
}

/**
 * Returns Z after the given steps of Z = alpha S Z + (1 - alpha) Y, from Z = Y. Y, Z: [rows, classes].
 * @param pause awaited after each step, and within a step after ROWS_AT_ONCE rows
 */
export async function spreadLabels(
  { count, starts, to, weights }: Graph,
  y: Float64Array,
  { alpha, iterations }: Spread,
  pause: () => Promise<void> = async () => undefined,
): Promise<Float64Array> {
  const classes = y.length / count;
  let [z, next] = [y.slice(), new Float64Array(y.length)];
  for (let iteration = 0; iteration < iterations; iteration++) {
    for (let i = 0; i < count; i++) {
      if (i % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await pause();
      const own = i * classes;
      for (let c = 0; c < classes; c++) next[own + c] = (1 - alpha) * y[own + c]!;
      for (let e = starts[i]!; e < starts[i + 1]!; e++) {
        const weight = alpha * weights[e]!;
        const other = to[e]! * classes;
        for (let c = 0; c < classes; c++) next[own + c]! += weight * z[other + c]!;
      }
    }
    [z, next] = [next, z];
    await pause();
  }
  return z;
}
