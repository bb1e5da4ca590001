// Mean teacher (Tarvainen & Valpola 2017): the teacher's weights are the exponential average of the student's, theta' = m theta' + (1 - m) theta (eq. 1;
// the stage's `average`), and the student is trained towards what the teacher says of the weak view: L = L_labelled + alpha(t) / B sum_u H(q_u, p(y |
// strong view of u)), with q_u = softmax(teacher's logits / T). The paper's cost is the square of the difference of both; this one has the gradient
// p - q at the logits. alpha(t) rises, since the first teachers know little.
import { z } from 'zod';
import { confidence, confidenceFields, confidentTargets, type Softness, temperature } from './confidence.js';
import { type FreshSettings, fresh, freshFields, freshRows } from './fresh-labels.js';
import type { Method } from './method.js';

export interface MeanTeacherSettings extends FreshSettings, Softness {
  readonly name: 'mean-teacher';
  /** What the teacher is less sure of does not count. */
  readonly threshold: number;
}

const settings: z.ZodType<MeanTeacherSettings> = z.strictObject({
  name: z.literal('mean-teacher'),
  ...freshFields,
  threshold: confidenceFields.threshold,
  temperature: temperature.optional(),
});

export const meanTeacher: Method<MeanTeacherSettings> = {
  ...fresh,
  settings,
  augments: true,
  usesAverage: true,
  defaults: {
    ...{ name: 'mean-teacher', batch: 112, alpha: { t1: 400, t2: 1200, final: 1, every: 1 }, threshold: 0 },
    ...{ temperature: 0.5, balance: { momentum: 0.99, shares: 'auto' } },
  },
  parameters: z.strictObject(confidenceFields),
  rows(of, step, state, labelCounts) {
    const rows = freshRows(of, step, state, labelCounts, confidence(of.threshold, of));
    return rows && { ...rows, teacher: 'average' };
  },
  targets: confidentTargets,
};
