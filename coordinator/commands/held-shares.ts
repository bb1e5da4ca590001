// `label --propagate --class-shares`: the shares of the classes that spread labels are held to, and what people are told of that assumption.
import { InvalidArgumentError } from 'commander';
import { type SharesChoice, sharesSchema } from '../../src/methods/class-balance.js';
import { choiceText } from '../../src/methods/class-balance-text.js';
import { type HeldShares, heldShares } from '../../src/methods/label-propagation.js';
import type { Propagation } from '../../src/methods/method.js';
import { classCounts } from '../../src/reporting/metrics.js';
import type { Seeds } from '../propagation.js';
import { usage } from './options.js';

const RULES = ['predicted', 'labelled', 'equal', 'off'] as const;

type Rule = HeldShares | 'predicted';

/** predicted, labelled, equal, off, or a share of each class. */
export function heldSharesIn(text: string): Rule {
  const rule = RULES.find((each) => each === text);
  if (rule !== undefined) return rule;
  const shares = sharesSchema.safeParse(
    text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part))),
  );
  if (shares.success) return shares.data;
  throw new InvalidArgumentError(`It is ${RULES.join(', ')}, or a share of each class, which sum to 1: 0.6,0.3,0.1.`);
}

export interface HeldChoice {
  readonly shares: Propagation['shares'];
  /** What the result says of it; undefined: labels are held to none. */
  readonly choice: SharesChoice | { readonly source: 'predicted' } | undefined;
  /** A line that says what is assumed. */
  readonly text: string;
}

const ASSUMED = 'class shares, as assumed (--class-shares):';

/**
 * The shares that labels are held to while they spread. Left out: those among what the model predicts for all images, as in later rounds of
 * training. Throws E_USAGE where they do not fit the classes.
 */
export function heldFor(
  rule: Rule = 'predicted',
  { labels }: Pick<Seeds, 'labels'>,
  classNames: readonly string[],
): HeldChoice {
  if (rule === 'predicted')
    return { shares: rule, choice: { source: rule }, text: `${ASSUMED} those among the model's own predictions` };
  const counts = classCounts(labels, classNames.length);
  const without = counts.indexOf(0);
  if (rule === 'labelled' && without >= 0)
    throw usage(
      `--class-shares labelled would leave no image to ${classNames[without]}, of which no label is known`,
      'give a share of each class, or leave --class-shares out',
    );
  if (typeof rule === 'object' && rule.length !== classNames.length)
    throw usage(
      `--class-shares has ${rule.length} shares, and there are ${classNames.length} classes`,
      `give a share of each, in this order: ${classNames.slice(0, 20).join(', ')}`,
    );
  const choice = heldShares(rule, counts);
  return {
    shares: choice?.shares,
    choice,
    text: choice ? `${ASSUMED} ${choiceText(choice, classNames)}` : 'class shares: labels are held to none',
  };
}
