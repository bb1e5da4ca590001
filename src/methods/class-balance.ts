// Holds the classes among fresh pseudo-labels to shares (distribution alignment: Berthelot et al. 2020, ReMixMatch, section 3.1), and finds
// out which shares those are. Without it a class that the few labels hardly show is given to its neighbours, then learned from them, and
// lost; with wrong shares, images of frequent classes are given to rare ones.
//
// The assumption is that the unlabelled images have the shares of the labelled ones. It is tested before the first pseudo-label counts: the
// classifier, which has learned from labels alone by then, looks at unlabelled images for some steps (the survey), and their shares are
// estimated by EM (Saerens et al. 2002). An estimate that differs by more than so few labels explain takes the assumption's place.
import { z } from 'zod';
import { MOST_CLASSES } from '../data/dataset.js';
import { type AlphaSchedule, alpha } from './alpha.js';

export const SHARES_RULES = ['auto', 'labelled', 'equal', 'estimate'] as const;

/** A share of each class. */
export const sharesSchema = z
  .array(z.number().min(0).max(1))
  .min(2)
  .max(MOST_CLASSES)
  .refine((shares) => Math.abs(shares.reduce((sum, each) => sum + each, 0) - 1) < 0.01, 'shares have to sum to 1');

/** How the classes among fresh pseudo-labels are held to shares. */
export interface Balance {
  /** Of the running shares among predictions: 0 forgets all before, 0.99 remembers about a hundred steps. */
  readonly momentum: number;
  /** auto: the labelled set's, or where unlabelled images contradict them, an estimate from those; estimate: that in any case; or a share of each class. */
  readonly shares: (typeof SHARES_RULES)[number] | readonly number[];
}

export const balanceSchema: z.ZodType<Balance> = z.strictObject({
  momentum: z.number().min(0).lt(1),
  shares: z.union([z.enum(SHARES_RULES), sharesSchema]),
});

/** Of a method's settings, what the balance depends on. */
interface Settings {
  readonly alpha: AlphaSchedule;
  readonly balance?: Balance | undefined;
}

/** Of all classes, in double precision, since every later step depends on their bits. They sum to 1. */
export type ClassShares = readonly number[];

/** What one step hands on to the next. */
export type ClassBalance = {
  /** The shares that pseudo-labels are held to; during the survey, the estimate so far. */
  readonly target: ClassShares;
  /** Running shares of the classes among the classifier's predictions. */
  readonly predicted: ClassShares;
};

/** Which shares pseudo-labels are held to, and why. */
export interface SharesChoice {
  /** given: by the user. */
  readonly source: 'labelled' | 'equal' | 'estimate' | 'given';
  readonly shares: ClassShares;
  /** Where there was a survey: its estimate, how far it is from the labelled set's shares (a divergence, in nats), and how far it may be. */
  readonly survey?: { readonly estimate: ClassShares; readonly distance: number; readonly limit: number } | undefined;
}

/** Steps of the survey, of as many images as a step has pseudo-labels: 10,000 in all. EM has settled by then. */
export const SURVEY_STEPS = 40;
const SURVEY_MOMENTUM = 0.9;

/**
 * How far labels may mislead the survey, in nats; the more there are the less. One label a class misleads it by as much as long tails are
 * away, so that nothing it finds is believed (docs/decisions.md: what was measured).
 */
const limitOf = (labelsPerClass: number): number => 1.5 / (labelsPerClass < 2 ? 1 : Math.max(10, labelsPerClass));

/** A class that has all but vanished is favoured, not forced. */
const LEAST_SHARE = 1e-3;

export const equalShares = (classes: number): ClassShares => new Array<number>(classes).fill(1 / classes);

export function sharesOf(counts: readonly number[]): ClassShares {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / total);
}

/** labelCounts: labelled images of each class. */
export function beginBalance({ balance }: Settings, labelCounts: readonly number[]): ClassBalance {
  const shares = assumedShares(balance?.shares ?? 'labelled', labelCounts);
  return { target: shares, predicted: shares };
}

/** Whether a step is one of the last before pseudo-labels count, in which shares are estimated. */
export function isSurvey(settings: Settings, step: number): boolean {
  const shares = settings.balance?.shares;
  if (shares !== 'auto' && shares !== 'estimate') return false;
  return alpha(settings.alpha, step) === 0 && alpha(settings.alpha, step + SURVEY_STEPS) > 0;
}

/** Whether shares are chosen before a step: it is the first one whose pseudo-labels count. */
export function isChoice(settings: Settings, step: number): boolean {
  if (!settings.balance || alpha(settings.alpha, step) === 0) return false;
  return step === 0 || alpha(settings.alpha, step - 1) === 0;
}

/** target: where there was a survey, its estimate. */
export function chooseShares(
  settings: Settings,
  step: number,
  { target }: ClassBalance,
  labelCounts: readonly number[],
): SharesChoice {
  const { shares: rule } = settings.balance!;
  if (step === 0 || !isSurvey(settings, step - 1)) return { source: sourceOf(rule), shares: target };
  const labelled = sharesOf(labelCounts);
  const perClass = labelCounts.reduce((sum, count) => sum + count, 0) / labelCounts.length;
  const survey = { estimate: target, distance: divergence(target, labelled), limit: limitOf(perClass) };
  const isBelieved = rule === 'estimate' || survey.distance > survey.limit;
  return {
    ...(isBelieved ? { source: 'estimate', shares: target } : { source: 'labelled', shares: labelled }),
    survey,
  };
}

/** Of a step with fresh pseudo-labels: what is added to the logits of all classes, of which then either kind of masses is summed. */
export function logitShift(shares: ClassBalance): Float32Array {
  const { target, predicted } = shares;
  const log = (share: number): number => Math.log(Math.max(share, LEAST_SHARE));
  return Float32Array.from(target, (share, c) => log(share) - log(predicted[c]!));
}

/**
 * Of a step of the survey: log(estimate / labelled share). What a classifier that knows the labelled set's shares says of an image, it would say
 * after this shift if it knew the estimated ones; the mean of that over images is the next estimate.
 */
export function surveyShift({ target }: ClassBalance, labelCounts: readonly number[]): Float32Array {
  const labelled = sharesOf(labelCounts);
  return Float32Array.from(target, (share, c) => Math.log(share / labelled[c]!));
}

/**
 * After a step in which the rows' probabilities of each class summed to `masses`. Without fresh pseudo-labels there are none, and nothing
 * changes.
 */
export function nextBalance(
  settings: Settings,
  step: number,
  balance: ClassBalance,
  masses: readonly number[],
): ClassBalance {
  if (isSurvey(settings, step)) return { ...balance, target: nextShares(balance.target, masses, SURVEY_MOMENTUM) };
  return { ...balance, predicted: nextShares(balance.predicted, masses, settings.balance?.momentum ?? 0) };
}

/** momentum: 0 forgets all before, 0.99 remembers about a hundred steps. */
export function nextShares(shares: ClassShares, masses: readonly number[], momentum: number): ClassShares {
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  if (total === 0) return shares;
  return shares.map((share, c) => momentum * share + ((1 - momentum) * masses[c]!) / total);
}

/** Kullback-Leibler, in nats. */
export function divergence(shares: ClassShares, from: ClassShares): number {
  const terms = shares.map((share, c) => (share > 0 ? share * Math.log(share / from[c]!) : 0));
  return Math.max(
    0,
    terms.reduce((sum, term) => sum + term, 0),
  );
}

function assumedShares(rule: Balance['shares'], labelCounts: readonly number[]): ClassShares {
  if (rule === 'equal') return equalShares(labelCounts.length);
  return typeof rule === 'string' ? sharesOf(labelCounts) : sharesOf(rule);
}

function sourceOf(rule: Balance['shares']): SharesChoice['source'] {
  if (rule === 'equal') return 'equal';
  return typeof rule === 'string' ? 'labelled' : 'given';
}
