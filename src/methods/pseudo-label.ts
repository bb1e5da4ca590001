// Pseudo-labels (Lee 2013): the class that the network finds most likely is taken for the label of an unlabelled image. They are predicted at each
// weights update ("fresh"), or now and then for all images ("stored"); those of little confidence do not count; classes can be held to shares.
import { z } from 'zod';
import { type AlphaSchedule, alpha, alphaSchema } from './alpha.js';
import {
  type Balance,
  balanceSchema,
  beginBalance,
  type ClassBalance,
  chooseShares,
  isChoice,
  isSurvey,
  logitShift,
  nextBalance,
  surveyShift,
} from './class-balance.js';
import type { Method, MethodState, UnlabelledRows } from './method.js';
import { supervised } from './supervised.js';

/** When the pseudo-labels are predicted anew: once before the stage, at each weights update, or every so many steps. */
export type Refresh = 'once' | 'step' | number;

export interface PseudoLabelSettings {
  readonly name: 'pseudo-label';
  readonly batch: number;
  readonly alpha: AlphaSchedule;
  readonly refresh: Refresh;
  /** Pseudo-labels of less confidence do not count. */
  readonly threshold: number;
  /** Left out: pseudo-labels are taken as predicted. */
  readonly balance?: Balance | undefined;
}

const count = z.int().min(1).max(1e9);
const threshold = z.number().min(0).max(1);
const shares = z.array(z.number().min(0).max(1)).min(1);

const settings: z.ZodType<PseudoLabelSettings> = z
  .strictObject({
    name: z.literal('pseudo-label'),
    batch: count,
    alpha: alphaSchema,
    refresh: z.union([z.literal('once'), z.literal('step'), count]),
    threshold,
    balance: balanceSchema.optional(),
  })
  .refine(
    (whole) => whole.balance === undefined || whole.refresh === 'step',
    'only pseudo-labels that are fresh at each step are held to shares of the classes',
  );

/** undefined while alpha(t) is 0: rows of weight 0 need not be computed, unless the shares of their classes are wanted. */
function rows(
  of: PseudoLabelSettings,
  step: number,
  state: MethodState,
  labelCounts: readonly number[],
): UnlabelledRows | undefined {
  const { batch, threshold, refresh, balance } = of;
  const shares = state as ClassBalance;
  const factor = alpha(of.alpha, step);
  const plain = { batch, factor, method: of.name, parameters: { threshold }, masses: 'plain', noise: 0 } as const;
  if (isSurvey(of, step))
    return { ...plain, pseudoLabels: 'fresh', logitShift: surveyShift(shares, labelCounts), masses: 'shifted' };
  if (factor === 0) return undefined;
  if (refresh !== 'step') return { ...plain, pseudoLabels: 'stored', logitShift: undefined };
  return { ...plain, pseudoLabels: 'fresh', logitShift: balance && logitShift(shares) };
}

export const pseudoLabel: Method<PseudoLabelSettings> = {
  ...supervised,
  settings,
  parameters: z.strictObject({ threshold }),
  state: z.strictObject({ target: shares, predicted: shares }),
  batch: ({ batch }) => batch,
  predicts: ({ refresh }) => refresh === 'step',
  alpha: (of, step) => alpha(of.alpha, step),
  begin: (of, labelCounts) => beginBalance(of, labelCounts),
  isRelabelling: ({ refresh }, step) =>
    refresh !== 'step' && (step === 0 || (refresh !== 'once' && step % refresh === 0)),
  choose(of, step, state, labelCounts) {
    if (!isChoice(of, step)) return undefined;
    const choice = chooseShares(of, step, state as ClassBalance, labelCounts);
    return { choice, state: { target: choice.shares, predicted: choice.shares } };
  },
  rows,
  statistics: ({ pseudoLabels, logitShift }, classes) => (pseudoLabels === 'fresh' && logitShift ? classes : 0),
  targets: ({ parameters }, { classes, confidences, classMasses }) => ({
    targets: classes,
    weights: Uint8Array.from(confidences, (confidence) => Number(confidence >= parameters.threshold!)),
    statistics: classMasses,
  }),
  next: (of, step, state, statistics) => nextBalance(of, step, state as ClassBalance, statistics),
  shortened: (of, share) => ({ ...of, alpha: { ...of.alpha, t1: of.alpha.t1 * share, t2: of.alpha.t2 * share } }),
};
