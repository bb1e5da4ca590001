// The confidence threshold: targets of the rows whose likeliest class is sure enough.
import { z } from 'zod';
import type { Prediction, Targets, UnlabelledRows } from './method.js';

/** A temperature at which all classes' probabilities are the target; left out: the likeliest class alone is. */
export interface Softness {
  readonly temperature?: number | undefined;
}

export const temperature = z.number().min(0.01).max(100);

/** Parameters of confidentTargets(). */
export const confidenceFields = { threshold: z.number().min(0).max(1), temperature: temperature.exactOptional() };

/** The parameters of confidentTargets(). */
export const confidence = (threshold: number, { temperature: t }: Softness): UnlabelledRows['parameters'] =>
  t === undefined ? { threshold } : { threshold, temperature: t };

/** Rows count from a confidence of `threshold` on. At a `temperature` their targets are soft, else one class. */
export function confidentTargets({ parameters }: UnlabelledRows, prediction: Prediction): Targets {
  const { classes, confidences, classMasses } = prediction;
  const { threshold, temperature: t } = parameters as { threshold: number; temperature?: number };
  return {
    targets: t === undefined ? classes : prediction.probabilities(t),
    weights: Uint8Array.from(confidences, (each) => Number(each >= threshold)),
    statistics: classMasses,
  };
}
