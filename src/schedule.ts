// Owns everything that changes with time: alpha(t), the learning rate and the momentum, as data and as pure functions of the step.

/** Rate of a step. decay: initial * factor^(step / every) (Keras ExponentialDecay). cosine: from initial to final over the stage. */
export type RateSchedule =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'decay'; readonly initial: number; readonly factor: number; readonly every: number }
  | { readonly kind: 'cosine'; readonly initial: number; readonly final: number };

/** Rises linearly from `initial` to `final` over the first `epochs` epochs (Lee 2013, section "Dropout"). */
export interface MomentumSchedule {
  readonly initial: number;
  readonly final: number;
  readonly epochs: number;
}

/** The weight of the pseudo-labels: 0 before T1, then linear to `final` at T2 (Lee 2013, eq. 16). T1 and T2 in epochs. */
export interface AlphaSchedule {
  readonly t1: number;
  readonly t2: number;
  readonly final: number;
}

/** alpha(t), t in epochs. */
export function alpha({ t1, t2, final }: AlphaSchedule, t: number): number {
  if (t < t1) return 0;
  return t < t2 ? ((t - t1) / (t2 - t1)) * final : final;
}

/** p(t) = (t / T) p_f + (1 - t / T) p_i for t < T, then p_f; t in epochs. */
export function momentum({ initial, final, epochs }: MomentumSchedule, t: number): number {
  return t < epochs ? (t / epochs) * final + (1 - t / epochs) * initial : final;
}

/** step: from 0, of `steps` in the stage. */
export function learningRate(schedule: RateSchedule, step: number, steps: number): number {
  switch (schedule.kind) {
    case 'constant':
      return schedule.value;
    case 'decay':
      return schedule.initial * schedule.factor ** (step / schedule.every);
    case 'cosine': {
      const { initial, final } = schedule;
      return final + ((initial - final) / 2) * (1 + Math.cos((Math.PI * step) / steps));
    }
  }
}
