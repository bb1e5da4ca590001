// Reads `label --propagate --class-shares`, the shares that spread labels are held to, and tells the user of that
// assumption.
import { InvalidArgumentError } from 'commander';
import { choiceText } from '../../src/methods/class-balance-text.js';
import { HELD_RULES, type HeldChoice, type HeldRule, heldRuleSchema } from '../library/held-shares.js';

/** Reads predicted, labelled, equal, off, or a share of each class. */
export function heldSharesIn(text: string): HeldRule {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const rule = heldRuleSchema.safeParse(HELD_RULES.find((each) => each === text) ?? numbers);
  if (rule.success) return rule.data;
  throw new InvalidArgumentError(
    `It is ${HELD_RULES.join(', ')}, or a share of each class, which sum to 1: 0.6,0.3,0.1.`,
  );
}

const ASSUMED = 'class shares, as assumed (--class-shares):';

/** Returns a line that says what is assumed. */
export function heldLine(choice: HeldChoice, classNames: readonly string[]): string {
  if (!choice) return 'class shares: labels are held to none';
  if (choice.source === 'predicted') return `${ASSUMED} those among the model's own predictions`;
  return `${ASSUMED} ${choiceText(choice, classNames)}`;
}
