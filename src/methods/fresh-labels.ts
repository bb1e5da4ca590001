// The common part of the methods that predict a step's rows at that step: the weight of their loss, and the shares that
// their classes are held to. Each of these methods is a file of its own.
import { z } from 'zod';
import { MOST_CLASSES } from '../data/dataset.js';
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
import type { MethodState, UnlabelledRows } from './method.js';
import { supervised } from './supervised.js';
import { checkShares, type DataNumbers, type MethodOptions, withoutEffect } from './user-options.js';

export interface FreshSettings {
  readonly name: string;
  /** Unlabelled rows of a step. */
  readonly batch: number;
  readonly alpha: AlphaSchedule;
  /** If left out, predictions are held to no shares of the classes. */
  readonly balance?: Balance | undefined;
}

export const freshFields = {
  batch: z.int().min(1).max(1e9),
  alpha: alphaSchema,
  balance: balanceSchema.optional(),
};
/** Checks a list with one number from 0 to 1 for each class. */
export const ofClasses = z.array(z.number().min(0).max(1)).min(1).max(MOST_CLASSES);

/** The momentum of a balance that the settings do not have: that of the preset best. */
const MOMENTUM = 0.99;

/** Returns the settings with the shares of the classes that a user asks for; undefined changes nothing. */
export function withShares<S extends FreshSettings>(
  of: S,
  shares: MethodOptions['classShares'],
  { classes }: DataNumbers,
): S {
  if (shares === undefined) return of;
  const { balance, ...others } = of;
  if (shares === 'off') return others as S;
  checkShares(shares, classes);
  return { ...others, balance: { momentum: balance?.momentum ?? MOMENTUM, shares } } as S;
}

/** The members of a method except for its title, settings, rows and targets. */
export const fresh = {
  ...supervised,
  usesPseudoLabels: true,
  state: z.strictObject({ target: ofClasses, predicted: ofClasses }) as unknown as z.ZodType<MethodState>,
  withOptions<S extends FreshSettings>(of: S, options: MethodOptions, data: DataNumbers): S {
    const { refresh, threshold, classShares } = options;
    if (refresh !== undefined) throw withoutEffect('refresh', of.name);
    if (threshold !== undefined && !('threshold' in of)) throw withoutEffect('threshold', of.name);
    const changed = withShares(of, classShares, data);
    return threshold === undefined ? changed : { ...changed, threshold };
  },
  batch: ({ batch }: FreshSettings) => batch,
  predicts: () => true,
  alpha: (of: FreshSettings, step: number) => alpha(of.alpha, step),
  begin: (of: FreshSettings, labelCounts: readonly number[]): MethodState => beginBalance(of, labelCounts),
  choose(of: FreshSettings, step: number, state: MethodState, labelCounts: readonly number[]) {
    if (!isChoice(of, step)) return undefined;
    const choice = chooseShares(of, step, state as ClassBalance, labelCounts);
    return { choice, state: { ...state, target: choice.shares, predicted: choice.shares } };
  },
  statistics: ({ pseudoLabels, logitShift: shift }: UnlabelledRows, classes: number) =>
    pseudoLabels === 'fresh' && shift ? classes : 0,
  next: (of: FreshSettings, step: number, state: MethodState, statistics: readonly number[]): MethodState =>
    nextBalance(of, step, state as ClassBalance, statistics),
  shortened: <S extends FreshSettings>(of: S, by: number): S => ({
    ...of,
    alpha: { ...of.alpha, t1: of.alpha.t1 * by, t2: of.alpha.t2 * by },
  }),
};

/**
 * Returns the unlabelled rows of a step. Returns undefined while alpha(t) is 0, because rows of weight 0 need not be
 * computed; the survey's steps are the exception, since they need the shares of the classes.
 */
export function freshRows(
  of: FreshSettings,
  step: number,
  state: MethodState,
  labelCounts: readonly number[],
  settings: UnlabelledRows['settings'],
): UnlabelledRows | undefined {
  const shares = state as ClassBalance;
  const factor = alpha(of.alpha, step);
  const plain = { batch: of.batch, factor, method: of.name, settings, pseudoLabels: 'fresh', noise: 0 } as const;
  if (isSurvey(of, step)) return { ...plain, logitShift: surveyShift(shares, labelCounts), masses: 'shifted' };
  if (factor === 0) return undefined;
  return { ...plain, logitShift: of.balance && logitShift(shares), masses: 'plain' };
}
