// Makes logits of the output layer for tests: their layout, their size, and their softmax in double precision.
import fc from 'fast-check';
import { expect } from 'vitest';

/** The smallest number of rows that the kernel takes. */
export const ROWS = 8;

/** One column of logits for each row. */
export type Logits = readonly (readonly number[])[];

/** Lays columns out as [classes, rows], as the kernel reads them. */
export function unitsMajor(columns: Logits): Float32Array {
  const classes = columns[0]!.length;
  return Float32Array.from({ length: classes * ROWS }, (_, i) => columns[i % ROWS]?.[Math.floor(i / ROWS)] ?? 0);
}

export function column(values: Float32Array, row: number): number[] {
  return Array.from({ length: values.length / ROWS }, (_, c) => values[c * ROWS + row]!);
}

export function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

export const logSumExp = (logits: readonly number[]): number => {
  const most = Math.max(...logits);
  return most + Math.log(logits.reduce((total, logit) => total + Math.exp(logit - most), 0));
};

export const float = (largest: number) =>
  fc.double({ min: -largest, max: largest, noNaN: true }).map((value) => Math.fround(value));

/** Generates eight rows of ten logits, up to the size of one of these numbers. */
export const wideLogits = fc
  .constantFrom(0.01, 1, 10, 80, 1000)
  .chain((largest) =>
    fc.array(fc.array(float(largest), { minLength: 10, maxLength: 10 }), { minLength: ROWS, maxLength: ROWS }),
  );
/** Compares relative to the expected value, or to `floor` if that is larger. */
export function expectClose(found: number, expected: number, tolerance: number, floor: number): void {
  const error = Math.abs(found - expected) / Math.max(Math.abs(expected), floor);
  if (!(error <= tolerance)) expect.fail(`${found} is not ${expected}: an error of ${error}`);
}

export const SMALLEST_NORMAL = 2 ** -126;
