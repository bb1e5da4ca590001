// The confidence threshold: makes targets of the rows whose likeliest class is probable enough.
import { z } from 'zod';
import type { Prediction, Targets, UnlabelledRows } from './method.js';

/** At a `temperature`, the probabilities of all classes are the target. If left out, the likeliest class alone is. */
export interface Softness {
  readonly temperature?: number | undefined;
}

export const temperature = z.number().min(0.01).max(100);

/** The schema of the settings of confidentTargets(). */
export const confidenceFields = { threshold: z.number().min(0).max(1), temperature: temperature.exactOptional() };

/** Makes the settings of confidentTargets(). */
export const confidence = (threshold: number, { temperature: t }: Softness): UnlabelledRows['settings'] =>
  t === undefined ? { threshold } : { threshold, temperature: t };

/**
 * Makes the targets of a step. Rows of at least the confidence `threshold` count. Their targets are soft if there is a
 * `temperature`, and one class otherwise.
 */
export function confidentTargets({ settings }: UnlabelledRows, prediction: Prediction): Targets {
  const { classes, confidences, classMasses } = prediction;
  const { threshold, temperature: t } = settings as { threshold: number; temperature?: number };
  return {
    targets: t === undefined ? classes : prediction.probabilities(t),
    weights: Uint8Array.from(confidences, (each) => Number(each >= threshold)),
    statistics: classMasses,
  };
}
