// Puts into words the class shares that pseudo-labels are held to.

import { percent } from '../format.js';
import { type Balance, type ClassShares, divergence, equalShares, type SharesChoice } from './class-balance.js';
import { type MethodSettings, methodOf } from './methods.js';

/** Shares are listed class by class for up to this many classes. */
const MOST_NAMED = 20;

/**
 * Returns the class shares that a method's settings ask for, or undefined if the method holds pseudo-labels to none.
 */
export function sharesRuleOf(method: MethodSettings): Balance['shares'] | 'predicted' | undefined {
  if (!('balance' in method) || method.balance === undefined || method.balance === 'off') return undefined;
  return typeof method.balance === 'object' && 'shares' in method.balance ? method.balance.shares : method.balance;
}

/** Returns the line to print before a run, or undefined if the run has no pseudo-labels. */
export function assumptionLine(methods: readonly MethodSettings[]): string | undefined {
  const pseudo = methods.find((method) => methodOf(method).usesPseudoLabels);
  if (!pseudo) return undefined;
  const isLater =
    sharesRuleOf(pseudo) !== 'predicted' && methods.some((method) => sharesRuleOf(method) === 'predicted');
  return (
    ruleLine(sharesRuleOf(pseudo)) + (isLater ? ", and in later rounds to those among the model's predictions" : '')
  );
}

function ruleLine(rule: ReturnType<typeof sharesRuleOf>): string {
  const held = 'class shares: pseudo-labels are held to';
  switch (rule) {
    case undefined:
      return 'class shares: pseudo-labels are taken as they come, held to no shares';
    case 'auto':
      return `${held} those of the labelled images, unless the unlabelled ones contradict them (--class-shares)`;
    case 'labelled':
      return `${held} those of the labelled images`;
    case 'equal':
      return `${held} equal ones`;
    case 'predicted':
      return `${held} those among the model's predictions`;
    case 'estimate':
      return `${held} an estimate from the unlabelled images`;
    default:
      return `${held} those that were given`;
  }
}

/**
 * Returns the text for a choice of shares, as soon as it is made and again when the run has ended. Without `classNames`
 * the classes are numbered.
 */
export function choiceText(choice: SharesChoice, classNames?: readonly string[]): string {
  const { source, shares, survey } = choice;
  const listed = listText(shares, classNames);
  const evidence =
    survey && `their distance is ${survey.distance.toFixed(3)}, and labels explain ${survey.limit.toFixed(3)}`;
  switch (source) {
    case 'given':
      return `as given: ${listed}`;
    case 'equal':
      return listed;
    case 'labelled':
      return `of the labelled images: ${listed}${evidence ? `; the unlabelled ones do not contradict them (${evidence})` : ''}`;
    case 'estimate':
      return survey && survey.distance > survey.limit
        ? `estimated from the unlabelled images, which contradict the labelled ones (${evidence}): ${listed}`
        : `estimated from the unlabelled images: ${listed}`;
  }
}

function listText(shares: ClassShares, classNames: readonly string[] | undefined): string {
  if (divergence(shares, equalShares(shares.length)) < 1e-9) return `equal, ${percent(1 / shares.length, 1)} each`;
  const named = shares.slice(0, MOST_NAMED).map((share, c) => `${classNames?.[c] ?? c} ${percent(share, 1)}`);
  const others = shares.length - named.length;
  return `${named.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}
