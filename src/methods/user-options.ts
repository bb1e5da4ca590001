// The options of a user that change a method's settings: --refresh, --threshold and --class-shares.
import { PseudolabelError } from '../errors.js';
import type { SHARES_RULES } from './class-balance.js';

export interface MethodOptions {
  /** When pseudo-labels are made anew: once, after each pass over the unlabelled images, or after so many steps. */
  readonly refresh?: 'once' | 'epoch' | 'step' | number | undefined;
  /** Pseudo-labels of less confidence do not count. */
  readonly threshold?: number | undefined;
  /** The shares of the classes that pseudo-labels are held to. */
  readonly classShares?: (typeof SHARES_RULES)[number] | 'off' | readonly number[] | undefined;
}

/** The numbers of the data set that the options depend on. */
export interface DataNumbers {
  readonly unlabelled: number;
  readonly classes: number;
}

/** Turns 'epoch' into the steps of a pass over the unlabelled images. */
export const stepsOfRefresh = <When extends string | number>(
  refresh: When,
  batch: number,
  { unlabelled }: DataNumbers,
): Exclude<When, 'epoch'> | number =>
  refresh === 'epoch' ? Math.ceil(unlabelled / batch) : (refresh as Exclude<When, 'epoch'>);

/** Returns the E_CONFIG error for an option that cannot change this method. */
export const withoutEffect = (option: keyof MethodOptions, method: string): PseudolabelError =>
  new PseudolabelError(
    'E_CONFIG',
    `${option}: has no such effect on the method ${method}`,
    'leave it out, or change the numbers that the method has, by --set (`pseudolabel preset` prints them)',
  );

/** Throws E_CONFIG unless a list of shares, if one is given, has one for each class. */
export function checkShares(shares: unknown, classes: number): void {
  if (!Array.isArray(shares) || shares.length === classes) return;
  throw new PseudolabelError(
    'E_CONFIG',
    `classShares: ${shares.length} shares for ${classes} classes`,
    'give a share of each class, in the order of their names: --class-shares 0.6,0.3,0.1',
  );
}
