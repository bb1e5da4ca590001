// Owns everything that changes with time: alpha(t), the learning rate and the momentum, as data and as pure functions of the step.

/** Rate of a step. decay: initial * factor^(step / every) (Keras ExponentialDecay). cosine: from initial to final over the stage. */
export type RateSchedule =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'decay'; readonly initial: number; readonly factor: number; readonly every: number }
  | { readonly kind: 'cosine'; readonly initial: number; readonly final: number };

/** Rises linearly from `initial` to `final` over the first `over` steps (Lee 2013, section "Dropout"), once every `every` steps. */
export interface MomentumSchedule {
  readonly initial: number;
  readonly final: number;
  readonly over: number;
  readonly every: number;
}

/**
 * The weight of the pseudo-labels: 0 before step T1, then linear to `final` at step T2 (Lee 2013, eq. 16). Steps are those of the stage, so that
 * the ramp lies where the recipe wants it, whatever the number of labels. It rises once every `every` steps: the t of the paper is a whole epoch.
 */
export interface AlphaSchedule {
  readonly t1: number;
  readonly t2: number;
  readonly final: number;
  readonly every: number;
}

/** alpha(t) at a step, from 0. */
export function alpha({ t1, t2, final, every }: AlphaSchedule, step: number): number {
  const t = lastRise(step, every);
  if (t < t1) return 0;
  return t < t2 ? ((t - t1) / (t2 - t1)) * final : final;
}

/** p(t) = (t / T) p_f + (1 - t / T) p_i for t < T, then p_f. */
export function momentum({ initial, final, over, every }: MomentumSchedule, step: number): number {
  const t = lastRise(step, every);
  return t < over ? (t / over) * final + (1 - t / over) * initial : final;
}

const lastRise = (step: number, every: number): number => Math.floor(step / every) * every;

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
