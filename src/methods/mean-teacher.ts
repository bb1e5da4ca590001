// Mean teacher (Tarvainen & Valpola 2017): trains the network (the student) towards what the average of its weights
// (the teacher) predicts.
// The teacher's weights are the exponential average of the student's, theta' = m theta' + (1 - m) theta (eq. 1; the
// stage's `average`). L = L_labelled + alpha(t) / B sum_u H(q_u, p(y | strong view of u)), with q_u = softmax(teacher's
// logits of the weak view / T). The paper's cost is the squared difference of both; this cost has the gradient p - q at
// the logits. alpha(t) rises, because the first teachers know little.
import { z } from 'zod';
import { confidence, confidenceFields, confidentTargets, type Softness, temperature } from './confidence.js';
import { type FreshSettings, fresh, freshFields, freshRows } from './fresh-labels.js';
import type { Method } from './method.js';

export interface MeanTeacherSettings extends FreshSettings, Softness {
  readonly name: 'mean-teacher';
  /** Rows of which the teacher is less confident do not count. */
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
  title: 'Mean teacher',
  settings,
  augmentation: 'digits',
  usesAverage: true,
  defaults: {
    name: 'mean-teacher',
    batch: 112,
    alpha: { t1: 400, t2: 1200, final: 1, every: 1 },
    threshold: 0,
    temperature: 0.5,
    balance: { momentum: 0.99, shares: 'auto' },
  },
  stepSettings: z.strictObject(confidenceFields),
  rows(of, step, state, labelCounts) {
    const rows = freshRows(of, step, state, labelCounts, confidence(of.threshold, of));
    return rows && { ...rows, teacher: 'average' };
  },
  targets: confidentTargets,
};
