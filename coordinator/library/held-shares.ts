// Chooses the shares of the classes that labels are held to while they spread over images. They are an assumption of
// whoever asks for labels.
import { z } from 'zod';
import { PseudolabelError } from '../../src/errors.js';
import { type SharesChoice, sharesSchema } from '../../src/methods/class-balance.js';
import { type HeldShares, heldShares } from '../../src/methods/label-propagation.js';
import type { Propagation } from '../../src/methods/method.js';
import { classCounts } from '../../src/reporting/metrics.js';
import type { Seeds } from '../propagation.js';

export const HELD_RULES = ['predicted', 'labelled', 'equal', 'off'] as const;

/**
 * predicted: the shares among the model's predictions; labelled: those of the known labels; off: none; or a share of
 * each class.
 */
export type HeldRule = HeldShares | 'predicted';

export const heldRuleSchema: z.ZodType<HeldRule> = z.union([z.enum(HELD_RULES), sharesSchema]);

/** The result of a rule; undefined: labels are held to no shares. */
export type HeldChoice = SharesChoice | { readonly source: 'predicted' } | undefined;

/**
 * Returns the shares that labels are held to. By default they are the shares among the model's predictions for all
 * images, as in later rounds of training. Throws E_USAGE if they do not fit the classes.
 */
export function heldFor(
  rule: HeldRule = 'predicted',
  { labels }: Pick<Seeds, 'labels'>,
  classNames: readonly string[],
): { readonly shares: Propagation['shares']; readonly choice: HeldChoice } {
  if (rule === 'predicted') return { shares: rule, choice: { source: rule } };
  const counts = classCounts(labels, classNames.length);
  const without = counts.indexOf(0);
  if (rule === 'labelled' && without >= 0)
    throw new PseudolabelError(
      'E_USAGE',
      `--class-shares labelled would leave no image to ${classNames[without]}, of which no label is known`,
      'give a share of each class, or leave --class-shares out',
    );
  if (typeof rule === 'object' && rule.length !== classNames.length)
    throw new PseudolabelError(
      'E_USAGE',
      `--class-shares has ${rule.length} shares, and there are ${classNames.length} classes`,
      `give a share of each, in this order: ${classNames.slice(0, 20).join(', ')}`,
    );
  const choice = heldShares(rule, counts);
  return { shares: choice?.shares, choice };
}
