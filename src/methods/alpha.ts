// alpha(t): the weight of the unlabelled loss (Lee 2013, eq. 16).
import { z } from 'zod';

/**
 * alpha is 0 before step `t1`, then rises linearly to `final` at step `t2`. The steps are those of the stage, so that
 * the ramp does not depend on the number of labels. It rises once every `every` steps, because the paper's t counts
 * whole epochs.
 */
export interface AlphaSchedule {
  readonly t1: number;
  readonly t2: number;
  readonly final: number;
  readonly every: number;
}

const atLeast0 = z.number().min(0).max(1e9);

export const alphaSchema: z.ZodType<AlphaSchedule> = z
  .strictObject({ t1: atLeast0, t2: atLeast0, final: atLeast0, every: z.number().positive().max(1e9) })
  .refine(({ t1, t2 }) => t1 <= t2, 't1 is after t2');

/** Returns alpha(t) at a step, counted from 0. */
export function alpha({ t1, t2, final, every }: AlphaSchedule, step: number): number {
  const t = Math.floor(step / every) * every;
  if (t < t1) return 0;
  return t < t2 ? ((t - t1) / (t2 - t1)) * final : final;
}
