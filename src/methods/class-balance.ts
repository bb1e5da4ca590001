// Holds the classes among fresh pseudo-labels to given shares, and finds out which shares those are. The technique is
// distribution alignment (Berthelot et al. 2020, ReMixMatch, section 3.1). Without it, images of a class that has few
// labels are given to its neighbours; the network learns that, and the class is lost. With wrong shares, images of
// frequent classes are given to rare ones.
//
// The assumption is that the unlabelled images have the shares of the labelled ones. It is tested before the first
// pseudo-label counts. By then the classifier has learned from labels alone. It predicts unlabelled images for some
// steps (the survey), and their shares are estimated by EM (Saerens et al. 2002). If the estimate differs by more than
// so few labels explain, it replaces the assumption.
import { z } from 'zod';
import { MOST_CLASSES } from '../data/dataset.js';
import { type AlphaSchedule, alpha } from './alpha.js';

export const SHARES_RULES = ['auto', 'labelled', 'equal', 'estimate'] as const;

/** Checks a list with one share for each class. */
export const sharesSchema = z
  .array(z.number().min(0).max(1))
  .min(2)
  .max(MOST_CLASSES)
  .refine((shares) => Math.abs(shares.reduce((sum, each) => sum + each, 0) - 1) < 0.01, 'shares have to sum to 1');

/** Says how the classes among fresh pseudo-labels are held to shares. */
export interface Balance {
  /** The decay of the running shares among predictions: 0 forgets all earlier steps, 0.99 remembers about a hundred. */
  readonly momentum: number;
  /**
   * auto: the labelled set's shares, or an estimate if the unlabelled images contradict them. labelled: the labelled
   * set's. equal: the same share for every class. estimate: always the estimate. A list gives the share of each class.
   */
  readonly shares: (typeof SHARES_RULES)[number] | readonly number[];
}

export const balanceSchema: z.ZodType<Balance> = z.strictObject({
  momentum: z.number().min(0).lt(1),
  shares: z.union([z.enum(SHARES_RULES), sharesSchema]),
});

/** The part of a method's settings that the balance depends on. */
interface Settings {
  readonly alpha: AlphaSchedule;
  readonly balance?: Balance | undefined;
}

/**
 * One share for each class; they sum to 1. They are in double precision, because every later step depends on their
 * bits.
 */
export type ClassShares = readonly number[];

/** The state that one step hands to the next. */
export type ClassBalance = {
  /** The shares that pseudo-labels are held to; during the survey, the estimate so far. */
  readonly target: ClassShares;
  /** Running shares of the classes among the classifier's predictions. */
  readonly predicted: ClassShares;
};

/** The shares that pseudo-labels are held to, and where they come from. */
export interface SharesChoice {
  /** given: the user gave the shares. */
  readonly source: 'labelled' | 'equal' | 'estimate' | 'given';
  readonly shares: ClassShares;
  /**
   * The survey's estimate, its distance from the labelled set's shares (a divergence, in nats), and the largest
   * distance that few labels explain. undefined if there was no survey.
   */
  readonly survey?: { readonly estimate: ClassShares; readonly distance: number; readonly limit: number } | undefined;
}

/**
 * The steps of the survey. Each looks at as many images as a step has pseudo-labels, 10,000 in all; EM has settled by
 * then.
 */
export const SURVEY_STEPS = 40;
const SURVEY_MOMENTUM = 0.9;

/**
 * Returns how far labels may mislead the survey, in nats: the more labels there are, the less. One label per class can
 * mislead it as far as a long-tailed set of images is away, so that no estimate is believed then (measured in
 * docs/decisions.md).
 */
const limitOf = (labelsPerClass: number): number => 1.5 / (labelsPerClass < 2 ? 1 : Math.max(10, labelsPerClass));

/**
 * The least share that the shift of the logits assumes, so that a class that has almost vanished is favoured but not
 * forced.
 */
const LEAST_SHARE = 1e-3;

export const equalShares = (classes: number): ClassShares => new Array<number>(classes).fill(1 / classes);

export function sharesOf(counts: readonly number[]): ClassShares {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / total);
}

/** Returns the state before the first step. labelCounts: the number of labelled images of each class. */
export function beginBalance({ balance }: Settings, labelCounts: readonly number[]): ClassBalance {
  const shares = assumedShares(balance?.shares ?? 'labelled', labelCounts);
  return { target: shares, predicted: shares };
}

/** Returns whether a step belongs to the survey: the last steps before pseudo-labels count. */
export function isSurvey(settings: Settings, step: number): boolean {
  const shares = settings.balance?.shares;
  if (shares !== 'auto' && shares !== 'estimate') return false;
  return alpha(settings.alpha, step) === 0 && alpha(settings.alpha, step + SURVEY_STEPS) > 0;
}

/** Returns whether shares are chosen before a step, which is so for the first step whose pseudo-labels count. */
export function isChoice(settings: Settings, step: number): boolean {
  if (!settings.balance || alpha(settings.alpha, step) === 0) return false;
  return step === 0 || alpha(settings.alpha, step - 1) === 0;
}

/** Chooses the shares. target: the survey's estimate, if there was a survey. */
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

/**
 * Returns what a step adds to the logits of each class before it takes fresh pseudo-labels: log(target share /
 * predicted share).
 */
export function logitShift(shares: ClassBalance): Float32Array {
  const { target, predicted } = shares;
  const log = (share: number): number => Math.log(Math.max(share, LEAST_SHARE));
  return Float32Array.from(target, (share, c) => log(share) - log(predicted[c]!));
}

/**
 * Returns what a step of the survey adds to the logits: log(estimate / labelled share). The classifier has learned the
 * labelled set's shares; after this shift it predicts what it would if it had learned the estimated ones. The mean of
 * those predictions over the images is the next estimate.
 */
export function surveyShift({ target }: ClassBalance, labelCounts: readonly number[]): Float32Array {
  const labelled = sharesOf(labelCounts);
  return Float32Array.from(target, (share, c) => Math.log(share / labelled[c]!));
}

/**
 * Returns the state after a step. masses: the rows' probabilities of each class, summed over the rows. If the step had
 * no fresh pseudo-labels they are all 0, and nothing changes.
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

/**
 * Returns the exponential average of the shares. momentum: 0 forgets all earlier steps, 0.99 remembers about a hundred.
 */
export function nextShares(shares: ClassShares, masses: readonly number[], momentum: number): ClassShares {
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  if (total === 0) return shares;
  return shares.map((share, c) => momentum * share + ((1 - momentum) * masses[c]!) / total);
}

/** Returns the Kullback-Leibler divergence, in nats. */
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
