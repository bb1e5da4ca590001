// Pseudo-labels (Lee 2013): the likeliest class that the network predicts is the label of an unlabelled image.
// Labels are predicted at each weights update ("fresh"), or now and then for all images ("stored"). Predictions of
// little confidence do not count. Classes can be held to shares.
import { z } from 'zod';
import { PseudolabelError } from '../errors.js';
import { alpha } from './alpha.js';
import { confidence, confidenceFields, confidentTargets } from './confidence.js';
import { type FreshSettings, fresh, freshFields, freshRows, withShares } from './fresh-labels.js';
import type { Method } from './method.js';
import { stepsOfRefresh } from './user-options.js';

/**
 * Says when the pseudo-labels are predicted anew: once before the stage, at each weights update, or each time after
 * this many steps.
 */
export type Refresh = 'once' | 'step' | number;

export interface PseudoLabelSettings extends FreshSettings {
  readonly name: 'pseudo-label';
  readonly refresh: Refresh;
  /** Pseudo-labels of less confidence do not count. */
  readonly threshold: number;
}

const settings: z.ZodType<PseudoLabelSettings> = z
  .strictObject({
    name: z.literal('pseudo-label'),
    ...freshFields,
    refresh: z.union([z.literal('once'), z.literal('step'), freshFields.batch]),
    threshold: confidenceFields.threshold,
  })
  .refine(
    (whole) => whole.balance === undefined || whole.refresh === 'step',
    'only pseudo-labels that are fresh at each step are held to shares of the classes',
  );

function onlyFreshOnes(when: Refresh): PseudolabelError {
  const what = typeof when === 'number' ? `every ${when} steps` : when;
  return new PseudolabelError(
    'E_CONFIG',
    `classShares: pseudo-labels refreshed ${what} are not held to shares of the classes`,
    'leave --class-shares out, or add --refresh step',
  );
}

export const pseudoLabel: Method<PseudoLabelSettings> = {
  ...fresh,
  title: 'Pseudo-labels',
  settings,
  /** These are the numbers of the preset best (training/presets/best.ts). */
  defaults: {
    name: 'pseudo-label',
    batch: 256,
    alpha: { t1: 400, t2: 1200, final: 3, every: 4 },
    refresh: 'step',
    threshold: 0.8,
    balance: { momentum: 0.99, shares: 'auto' },
  },
  stepSettings: z.strictObject({ threshold: confidenceFields.threshold }),
  withOptions(of, { refresh: asked, threshold = of.threshold, classShares }, data) {
    const refresh = asked === undefined ? of.refresh : stepsOfRefresh(asked, of.batch, data);
    if (refresh === 'step') return { ...withShares(of, classShares, data), refresh, threshold };
    if (classShares !== undefined && classShares !== 'off') throw onlyFreshOnes(refresh);
    return { ...withShares(of, 'off', data), refresh, threshold };
  },
  predicts: ({ refresh }) => refresh === 'step',
  isRelabelling: ({ refresh }, step) =>
    refresh !== 'step' && (step === 0 || (refresh !== 'once' && step % refresh === 0)),
  rows(of, step, state, labelCounts) {
    const { threshold, refresh, batch, name } = of;
    if (refresh === 'step') return freshRows(of, step, state, labelCounts, confidence(threshold, {}));
    const factor = alpha(of.alpha, step);
    if (factor === 0) return undefined;
    return {
      batch,
      factor,
      method: name,
      settings: { threshold },
      pseudoLabels: 'stored',
      logitShift: undefined,
      masses: 'plain',
      noise: 0,
    };
  },
  targets: confidentTargets,
};
