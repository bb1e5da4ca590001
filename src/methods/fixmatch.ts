// FixMatch (Sohn et al. 2020): trains on a strong view of an image towards the class that is predicted for a weak view.
// With q = p(y | weak view), a row counts if max q >= tau, and its target is argmax q. With rows u = 1 .. B of a step:
// L = L_labelled + alpha / B sum_u [max q_u >= tau] H(argmax q_u, p(y | strong view of u)) (eq. 4). At a temperature T
// the target is softmax(logits / T) instead of the class (sharpening: Berthelot et al. 2019, MixMatch, eq. 7). Classes
// can be held to shares.
import { z } from 'zod';
import { confidence, confidenceFields, confidentTargets, type Softness, temperature } from './confidence.js';
import { type FreshSettings, fresh, freshFields, freshRows } from './fresh-labels.js';
import type { Method } from './method.js';

export interface FixMatchSettings extends FreshSettings, Softness {
  readonly name: 'fixmatch';
  readonly threshold: number;
}

const settings: z.ZodType<FixMatchSettings> = z.strictObject({
  name: z.literal('fixmatch'),
  ...freshFields,
  threshold: confidenceFields.threshold,
  temperature: temperature.optional(),
});

export const fixMatch: Method<FixMatchSettings> = {
  ...fresh,
  title: 'FixMatch',
  settings,
  augmentation: 'digits',
  defaults: {
    name: 'fixmatch',
    batch: 112,
    alpha: { t1: 400, t2: 800, final: 1, every: 1 },
    threshold: 0.95,
    balance: { momentum: 0.99, shares: 'auto' },
  },
  stepSettings: z.strictObject(confidenceFields),
  rows: (of, step, state, labelCounts) => freshRows(of, step, state, labelCounts, confidence(of.threshold, of)),
  targets: confidentTargets,
};
