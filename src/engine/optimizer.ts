// The numbers of an optimizer's step, and the calls of the kernel that apply them.

import type { Kernel } from './kernel/kernel.js';

/** The numbers of one optimizer step, after the schedule. */
export type OptimizerStep = Around & Rule;

/** What is done before and after the step itself. */
interface Around {
  /**
   * The largest Euclidean norm of the gradient. A larger gradient is scaled down to it. If left out, there is no limit.
   */
  readonly clip?: number;
  /** After the step, average = average * `average` + (1 - `average`) * p. If left out, no average is kept. */
  readonly average?: number;
}

type Rule =
  /** m = a m + b g; p = keep p - c m. With Nesterov's momentum, p = keep p - c (a m + b g), with the new m. */
  | {
      readonly kind: 'momentum';
      readonly a: number;
      readonly b: number;
      readonly c: number;
      readonly nesterov?: boolean;
      readonly keep?: number;
    }
  /** t: the number of updates, including this one. */
  | {
      readonly kind: 'adam';
      readonly rate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly t: number;
      /** The factor of weight decay on a parameter: 1 - rate * decay. Defaults to 1. */
      readonly keep?: number;
    };

/**
 * Addresses are in bytes; start and end are in floats from p, m, v and the gradient buffers.
 * kernel/assembly/optimizers.ts explains id and the update log.
 */
export interface UpdateRange {
  readonly p: number;
  readonly m: number;
  readonly v: number;
  readonly gradientBuffers: number;
  readonly stride: number;
  readonly shards: number;
  readonly start: number;
  readonly end: number;
  readonly id: number;
  readonly updateLog: number;
  /** The factor of the summed gradient. Defaults to 1. */
  readonly scale?: number;
}

/** Sums the gradient buffers of a range of the parameters and applies the optimizer, in one pass. */
export function apply(kernel: Kernel, optimizer: OptimizerStep, range: UpdateRange): void {
  const { p, m, v, gradientBuffers, stride, shards, start, end, id, updateLog, scale = 1 } = range;
  if (optimizer.kind === 'momentum') {
    const { a, b, c, keep = 1, nesterov = false } = optimizer;
    kernel.momentum(
      p,
      m,
      gradientBuffers,
      stride,
      shards,
      start,
      end,
      a,
      b * scale,
      c,
      keep,
      Number(nesterov),
      id,
      updateLog,
    );
  } else {
    const { rate, beta1, beta2, epsilon, keep = 1 } = optimizer;
    const { c1, c2 } = biasCorrections(optimizer);
    kernel.adam(
      p,
      m,
      v,
      gradientBuffers,
      stride,
      shards,
      start,
      end,
      rate,
      beta1,
      beta2,
      c1,
      c2,
      epsilon,
      keep,
      scale,
      id,
      updateLog,
    );
  }
}

function biasCorrections({ beta1, beta2, t }: Extract<Rule, { kind: 'adam' }>) {
  return { c1: 1 / (1 - power(beta1, t)), c2: 1 / (1 - power(beta2, t)) };
}

/**
 * Computes a power by squaring, because versions of V8 differ in the last bit of `**`. exponent: a whole number from 0
 * on.
 */
function power(base: number, exponent: number): number {
  let [result, square] = [1, base];
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}
