// Tests what users are told of the shares of the classes: before a run, when they are known, and at its end.
import { describe, expect, it } from 'vitest';
import type { SharesChoice } from '../../../src/methods/class-balance.js';
import { assumptionLine, choiceText } from '../../../src/methods/class-balance-text.js';
import { normalise } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';

const TASK = { pixels: 784, classes: 3, hidden: [64], labelled: 30, unlabelled: 6000 };
const lineOf = (options: object) =>
  assumptionLine(planOf(normalise({ hidden: 64, ...options }), TASK).map(({ method }) => method));

describe('what a run assumes of the classes', () => {
  it('is said before it begins (case 2)', () => {
    expect(lineOf({})).toBe(
      'class shares: pseudo-labels are held to those of the labelled images, unless the unlabelled ones contradict them (--class-shares)',
    );
    for (const classShares of ['labelled', 'equal', 'estimate', [0.5, 0.3, 0.2]])
      expect(lineOf({ classShares })).toContain('pseudo-labels are held to ');
    for (const options of [{ classShares: 'off' }, { preset: 'paper' }, { preset: 'report' }, { refresh: 'epoch' }])
      expect(lineOf(options)).toContain('held to no shares');
    expect(lineOf({ scenario: 'drop' })).toBeUndefined();
    expect(lineOf({ preset: 'modern' })).toBe(
      "class shares: pseudo-labels are held to those of the labelled images, and in later rounds to those among the model's predictions",
    );
  });
});

describe('the shares that were chosen', () => {
  const contradicting = { estimate: [0.7, 0.2, 0.1], distance: 0.297, limit: 0.15 };
  const agreeing = { estimate: [0.35, 0.33, 0.32], distance: 0.001, limit: 0.15 };
  const third = [1 / 3, 1 / 3, 1 / 3];

  it.each<[string, SharesChoice, string]>([
    ['given', { source: 'given', shares: [0.7, 0.2, 0.1] }, 'as given: cat 70.0 %, dog 20.0 %, owl 10.0 %'],
    ['equal', { source: 'equal', shares: third }, 'equal, 33.3 % each'],
    ['the labelled ones', { source: 'labelled', shares: [0.5, 0.25, 0.25] }, 'of the labelled images: cat 50.0 %'],
    [
      'the labelled ones, after a survey',
      { source: 'labelled', shares: third, survey: agreeing },
      'of the labelled images: equal, 33.3 % each; the unlabelled ones do not contradict them (their distance is 0.001, and labels explain 0.150)',
    ],
    [
      'an estimate',
      { source: 'estimate', shares: [0.7, 0.2, 0.1], survey: contradicting },
      'estimated from the unlabelled images, which contradict the labelled ones (their distance is 0.297, and labels explain 0.150): cat 70.0 %',
    ],
    [
      'an estimate that was asked for',
      { source: 'estimate', shares: agreeing.estimate, survey: agreeing },
      'estimated from the unlabelled images: cat 35.0 %, dog 33.0 %, owl 32.0 %',
    ],
  ])('are named with their reason: %s (case 2)', (_, choice, text) => {
    expect(choiceText(choice, ['cat', 'dog', 'owl'])).toContain(text);
  });

  it('are numbered without names, and no line is endless', () => {
    const shares = Array.from({ length: 256 }, (_, c) => (c === 7 ? 0.5 : 0.5 / 255));
    const text = choiceText({ source: 'given', shares });
    expect(text).toContain('7 50.0 %');
    expect(text).toContain(' and 236 more');
    expect(text.length).toBeLessThan(400);
  });
});
