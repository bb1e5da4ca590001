// Owns the low-rank form of a gradient (Vogels, Karimireddy and Jaggi 2019, "PowerSGD", algorithm 1): where the factors of each layer's matrix
// lie, the factors that a run begins with, and making columns orthonormal. Pure.
import { keyOf, Stream } from '../random.js';
import { aligned, layoutOf, type Model } from './model.js';

/** Columns of a factor. */
export const MOST_RANKS = 8;

/**
 * One layer. Its matrix [units, inputs] is left right^T, with the factors `left` [rank, units] and `right` [rank, inputs], each column in one
 * piece. Of a matrix that is no longer than its factors the rank is 0, and `right` is the matrix itself. Places: in floats.
 */
export interface FactoredLayer {
  readonly units: number;
  readonly inputs: number;
  readonly rank: number;
  /** In the vector of the parameters. */
  readonly kernel: number;
  readonly bias: number;
  /** In the vector of all left factors. */
  readonly left: number;
  /** In the vector of all right factors, where biases are, too. */
  readonly right: number;
  readonly rightBias: number;
}

export interface Factoring {
  readonly layers: readonly FactoredLayer[];
  /** Of the vectors of all left and all right factors, with padding, which stays 0. */
  readonly left: number;
  readonly right: number;
}

export type Side = 'left' | 'right';

/** rank: of each matrix, from 1 to MOST_RANKS. */
export function factoringOf(model: Model, rank: number): Factoring {
  const { places } = layoutOf(model);
  let [left, right] = [0, 0];
  const layers = model.layers.map(({ units, inputs }, l) => {
    const isShorter = rank * (units + inputs) < units * inputs;
    const rightBias = right + aligned(isShorter ? rank * inputs : units * inputs);
    const layer = { units, inputs, rank: isShorter ? rank : 0, ...places[l]!, left, right, rightBias };
    left += isShorter ? aligned(rank * units) : 0;
    right = rightBias + aligned(units);
    return layer;
  });
  return { layers, left, right };
}

/** The columns of right factors that are 0, which would stay 0 for ever, are drawn anew: standard normal numbers. Returns whether any was. */
export function drawRight(
  { layers }: Factoring,
  right: Float32Array,
  { seed, stage, step }: { readonly seed: number; readonly stage: number; readonly step: number },
): boolean {
  let isChanged = false;
  layers.forEach((layer, l) => {
    for (let j = 0; j < layer.rank; j++) {
      const start = layer.right + j * layer.inputs;
      const column = right.subarray(start, start + layer.inputs);
      if (column.some((value) => value !== 0)) continue;
      const stream = new Stream(keyOf(seed, 'factors', stage, step, l, j));
      for (let i = 0; i < column.length; i++) column[i] = stream.normal();
      isChanged = true;
    }
  });
  return isChanged;
}

/** Makes the columns of all left factors orthonormal, layer by layer, and rounds them. sums: is overwritten. */
export function orthonormal({ layers }: Factoring, sums: Float64Array): Float32Array {
  for (const { rank, units, left } of layers) {
    const columns = Array.from({ length: rank }, (_, j) => sums.subarray(left + j * units, left + (j + 1) * units));
    columns.forEach((column, j) => {
      orthogonalise(column, columns.slice(0, j));
    });
  }
  return Float32Array.from(sums);
}

/** What of a column is left of rounding, if it lies in the span of the others: it comes from sums of floats. */
const NOTHING = 1e-6;

/** Modified Gram-Schmidt (Golub and Van Loan, 5.2.8). A column in the span of those before it becomes 0. */
function orthogonalise(column: Float64Array, before: readonly Float64Array[]): void {
  const length = Math.sqrt(dot(column, column));
  for (const other of before) subtract(column, other, dot(column, other));
  const rest = Math.sqrt(dot(column, column));
  const factor = rest > NOTHING * length ? 1 / rest : 0;
  for (let i = 0; i < column.length; i++) column[i]! *= factor;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtract(from: Float64Array, other: Float64Array, times: number): void {
  for (let i = 0; i < from.length; i++) from[i]! -= times * other[i]!;
}
