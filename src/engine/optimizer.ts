// The numbers of an optimizer's step, and the kernel that applies them.

import type { Kernel } from './kernel/kernel.js';

/** One optimizer step's numbers; the schedule has been applied. */
export type OptimizerStep = Around & Rule;

/** Before and after the step itself. */
interface Around {
  /** The longest that the gradient may be, by its Euclidean norm: a longer one is shortened to it. Left out: any. */
  readonly clip?: number;
  /** After the step, average = average * `average` + (1 - `average`) * p. Left out: no average is kept. */
  readonly average?: number;
}

type Rule =
  /** m = a m + b g; p = keep p - c m; with Nesterov's momentum, a m + b g in the place of the second m. */
  | {
      readonly kind: 'momentum';
      readonly a: number;
      readonly b: number;
      readonly c: number;
      readonly nesterov?: boolean;
      readonly keep?: number;
    }
  /** t: updates made so far, and this one. */
  | {
      readonly kind: 'adam';
      readonly rate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly t: number;
      /** What is left of a parameter by weight decay: 1 - rate * decay. Left out: all. */
      readonly keep?: number;
    };

/** Addresses in bytes; start and end in floats from p, m, v and the gradient buffers. What id and update log are for: kernel/assembly/update.ts. */
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
  /** What the summed gradient is multiplied by. Left out: 1. */
  readonly scale?: number;
}

/**
 * What a gradient of this norm is multiplied by, so that it is no longer than `clip` (Pascanu et al. 2013, algorithm 1): 1 or less.
 */
export const clipScale = (clip: number, norm: number): number => (norm > clip ? clip / norm : 1);

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

/** Addresses in bytes of the parameters and their average; start and end in floats from there. */
export type AverageRange = Pick<UpdateRange, 'p' | 'start' | 'end' | 'id' | 'updateLog'> & { readonly average: number };

/**
 * average = decay * average + (1 - decay) * p. The same pass as of an update, with its log: the parameters are the one gradient buffer, the
 * average is its moment, and the parameters themselves stay (c = 0).
 */
export function updateAverage(kernel: Kernel, decay: number, range: AverageRange): void {
  const { p, average, start, end, id, updateLog } = range;
  kernel.momentum(p, average, p, 0, 1, start, end, decay, 1 - decay, 0, 1, 0, id, updateLog);
}

function biasCorrections({ beta1, beta2, t }: Extract<Rule, { kind: 'adam' }>) {
  return { c1: 1 / (1 - power(beta1, t)), c2: 1 / (1 - power(beta2, t)) };
}

/** By squaring: versions of V8 differ in the last bit of `**`. exponent: a whole number from 0 on. */
function power(base: number, exponent: number): number {
  let [result, square] = [1, base];
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}
