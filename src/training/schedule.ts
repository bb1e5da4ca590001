// Computes the learning rate and the momentum of a step. alpha(t) is in methods/alpha.ts.

/**
 * The learning rate of each step. decay: initial * factor^(step / every) (Keras ExponentialDecay). step: the same with
 * whole powers only (PyTorch StepLR). cosine: from initial to final over the stage. warmup: over this many first steps,
 * the rate rises linearly from 0 to what it would be.
 */
export type RateSchedule = { readonly warmup?: number | undefined } & (
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'decay' | 'step'; readonly initial: number; readonly factor: number; readonly every: number }
  | { readonly kind: 'cosine'; readonly initial: number; readonly final: number }
);

/**
 * The momentum rises linearly from `initial` to `final` over the first `over` steps (Lee 2013, section "Dropout"), once
 * every `every` steps.
 */
export interface MomentumSchedule {
  readonly initial: number;
  readonly final: number;
  readonly over: number;
  readonly every: number;
}

/** Returns p(t) = (t / T) p_f + (1 - t / T) p_i for t < T, and p_f after that. */
export function momentum({ initial, final, over, every }: MomentumSchedule, step: number): number {
  const t = lastRise(step, every);
  return t < over ? (t / over) * final + (1 - t / over) * initial : final;
}

const lastRise = (step: number, every: number): number => Math.floor(step / every) * every;

/** Returns the learning rate of a step. step: counted from 0, of `steps` in the stage. */
export function learningRate(schedule: RateSchedule, step: number, steps: number): number {
  const { warmup = 0 } = schedule;
  const rate = rateAt(schedule, step, steps);
  return step < warmup ? (rate * (step + 1)) / (warmup + 1) : rate;
}

function rateAt(schedule: RateSchedule, step: number, steps: number): number {
  switch (schedule.kind) {
    case 'constant':
      return schedule.value;
    case 'decay':
      return schedule.initial * schedule.factor ** (step / schedule.every);
    case 'step':
      return schedule.initial * schedule.factor ** Math.floor(step / schedule.every);
    case 'cosine': {
      const { initial, final } = schedule;
      return final + ((initial - final) / 2) * (1 + Math.cos((Math.PI * step) / steps));
    }
  }
}
