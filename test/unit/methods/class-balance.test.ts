// Tests the shares that the classes among pseudo-labels are held to, and how they are found.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Balance } from '../../../src/methods/class-balance.js';
import {
  beginBalance,
  type ClassShares,
  chooseShares,
  divergence,
  equalShares,
  isChoice,
  isSurvey,
  logitShift,
  nextBalance,
  nextShares,
  SURVEY_STEPS,
  sharesOf,
  surveyShift,
} from '../../../src/methods/class-balance.js';
import type { PseudoLabelSettings } from '../../../src/methods/pseudo-label.js';
import { normalise } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';
import type { Stage } from '../../../src/training/stage.js';
import { pseudoLabelsOf } from '../../pseudo-labels.js';

/** Sums of probabilities that are floats: 0, or far from the limits of double precision. */
const masses = fc.array(fc.float({ min: 0, max: 300, noNaN: true }), { minLength: 2, maxLength: 20 });
const TEN = new Array<number>(10).fill(10);

const [STAGE] = planOf(normalise({ scenario: 'pl', hidden: 64 }), {
  pixels: 784,
  classes: 10,
  hidden: [64],
  labelled: 100,
  unlabelled: 60_000,
}) as [Stage];

const PRESET = pseudoLabelsOf(STAGE)!;

const settingsWith = (shares: Balance['shares']): PseudoLabelSettings => {
  return { ...PRESET, balance: { momentum: 0.99, shares } };
};

const stepsThat = (settings: PseudoLabelSettings, holds: typeof isSurvey): number[] =>
  Array.from({ length: STAGE.steps }, (_, step) => step).filter((step) => holds(settings, step));

describe('class shares', () => {
  it('stay shares: not negative, and 1 in sum', () => {
    fc.assert(
      fc.property(masses, fc.double({ min: 0, max: 0.999, noNaN: true }), (seen, momentum) => {
        const shares = nextShares(equalShares(seen.length), seen, momentum);
        expect(shares.every((share) => share >= 0)).toBe(true);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      }),
    );
  });

  it('move by 1 - momentum to those of the step', () => {
    expect(nextShares([0.5, 0.5], [30, 10], 0.9)).toEqual([
      0.9 * 0.5 + ((1 - 0.9) * 30) / 40,
      0.9 * 0.5 + ((1 - 0.9) * 10) / 40,
    ]);
    expect(nextShares([0.5, 0.5], [30, 10], 0)).toEqual([0.75, 0.25]);
  });

  it('do not move in a step without fresh pseudo-labels', () => {
    expect(nextShares([0.2, 0.8], [], 0.9)).toEqual([0.2, 0.8]);
    expect(nextShares([0.2, 0.8], [0, 0], 0.9)).toEqual([0.2, 0.8]);
  });

  it('are exactly equal where each class has as many labels', () => {
    for (const count of [1, 3, 10, 79, 600]) {
      expect(sharesOf(new Array(10).fill(count))).toEqual(equalShares(10));
      expect(sharesOf(new Array(7).fill(count))).toEqual(equalShares(7));
    }
  });
});

describe('the shift of the logits', () => {
  it('is nothing while predictions have the shares that they are held to', () => {
    for (const shares of [equalShares(4), [0.7, 0.2, 0.06, 0.04]]) {
      expect([...logitShift({ target: shares, predicted: shares })].map(Math.abs)).toEqual([0, 0, 0, 0]);
    }
  });

  it('multiplies the odds of classes by what their shares should be over what they are', () => {
    const counts = fc.array(fc.integer({ min: 5, max: 400 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(counts, counts, (wanted, found) => {
        const [target, predicted] = [sharesOf(wanted), sharesOf(found)];
        const shift = logitShift({ target, predicted });
        for (const c of [1, 2]) {
          const odds = (target[c]! * predicted[0]!) / (target[0]! * predicted[c]!);
          expect(Math.exp(shift[c]! - shift[0]!) / odds).toBeCloseTo(1, 4);
        }
      }),
    );
  });

  it('is bounded for a class that has vanished, and for one that is held to nothing', () => {
    const [gone, all] = logitShift({ target: [0.5, 0.5], predicted: [0, 1] }) as unknown as [number, number];
    expect(Math.exp(gone - all)).toBeCloseTo(1000, 2);
    expect(logitShift({ target: [0, 1], predicted: [0.5, 0.5] }).every(Number.isFinite)).toBe(true);
  });
});

describe('the survey', () => {
  it('is the last steps with labels alone; shares are chosen when the first pseudo-label counts', () => {
    for (const shares of ['auto', 'estimate'] as const) {
      const [choice, ...others] = stepsThat(settingsWith(shares), isChoice);
      expect(others).toEqual([]);
      const survey = stepsThat(settingsWith(shares), isSurvey);
      expect(survey).toEqual(Array.from({ length: SURVEY_STEPS }, (_, i) => choice! - SURVEY_STEPS + i));
    }
  });

  it('is left out where shares are known, and where labels are never alone', () => {
    for (const shares of ['labelled', 'equal', equalShares(10)] as const) {
      expect(stepsThat(settingsWith(shares), isSurvey)).toEqual([]);
      expect(stepsThat(settingsWith(shares), isChoice)).toHaveLength(1);
    }
    const atOnce = { ...PRESET, alpha: { ...PRESET.alpha, t1: -1, t2: 0 } };
    expect(stepsThat(atOnce, isSurvey)).toEqual([]);
    expect(stepsThat(atOnce, isChoice)).toEqual([0]);
    const { source, shares, survey } = chooseShares(atOnce, 0, beginBalance(atOnce, TEN), TEN);
    expect({ source, shares, survey }).toEqual({ source: 'labelled', shares: equalShares(10), survey: undefined });
  });

  it('is not there without a balance', () => {
    const off = { ...PRESET, balance: undefined };
    expect(stepsThat(off, isSurvey)).toEqual([]);
    expect(stepsThat(off, isChoice)).toEqual([]);
  });
});

/** Returns draws from 0 to 1, which are always the same. */
function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Returns the prediction of a calibrated classifier for an image. It was trained with the labelled set's shares, and
 * its evidence is right on average.
 */
function saysOf(label: number, classes: number, sureness: number, labelled: ClassShares, next: () => number): number[] {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const logits = Array.from({ length: classes }, (_, c) => (c === label ? sureness ** 2 : 0) + sureness * normal());
  const odds = logits.map((logit, c) => Math.exp(logit) * labelled[c]!);
  return [...sharesOf(odds)];
}

/** Returns the choice after a survey of images with these shares, 256 in each step. */
function surveyed(
  truth: ClassShares,
  labelCounts: readonly number[],
  sureness: number,
  rule: Balance['shares'] = 'auto',
) {
  const settings = settingsWith(rule);
  const classes = truth.length;
  const next = draws(5);
  const labelled = sharesOf(labelCounts);
  const [choice] = stepsThat(settings, isChoice) as [number];
  let balance = beginBalance(settings, labelCounts);
  for (const step of stepsThat(settings, isSurvey)) {
    const shift = surveyShift(balance, labelCounts);
    const sums = new Array<number>(classes).fill(0);
    for (let row = 0; row < 256; row++) {
      let [label, left] = [0, next()];
      while (label < classes - 1 && left >= truth[label]!) left -= truth[label++]!;
      const says = saysOf(label, classes, sureness, labelled, next).map((share, c) => share * Math.exp(shift[c]!));
      for (const [c, share] of sharesOf(says).entries()) sums[c]! += share;
    }
    balance = nextBalance(settings, step, balance, sums);
  }
  return chooseShares(settings, choice, balance, labelCounts);
}

const tail = (ratio: number): ClassShares => sharesOf(Array.from({ length: 10 }, (_, c) => ratio ** c));

describe('the estimate of shares', () => {
  it.each([
    ['a long tail of 0.55 a class, from equal labels', tail(0.55), TEN],
    ['a long tail of 0.7 a class, from equal labels', tail(0.7), TEN],
    ['equal shares, from unequal labels', equalShares(10), [50, 25, 12, 6, 5, 4, 3, 2, 2, 2]],
    ['a rare class of two', [0.95, 0.05], [10, 10]],
    ['a class that is not there', [0.5, 0.5, 0], [5, 5, 5]],
  ])('is that of the images where the classifier is calibrated: %s (case 2)', (_, truth, counts) => {
    const { survey } = surveyed(truth, counts, 3);
    expect(divergence(truth, survey!.estimate)).toBeLessThan(0.02);
    expect(divergence(truth, sharesOf(counts))).toBeGreaterThan(0.1);
  });

  it('takes the place of the assumption where it contradicts it (case 2)', () => {
    for (const truth of [tail(0.55), tail(0.7)]) {
      const { source, shares, survey } = surveyed(truth, TEN, 2);
      expect(source).toBe('estimate');
      expect(shares).toEqual(survey!.estimate);
    }
  });

  it('is not believed where so few labels explain it', () => {
    const nearly = tail(0.85);
    expect(surveyed(nearly, TEN, 2).source).toBe('labelled');
    expect(surveyed(nearly, TEN, 2).shares).toEqual(equalShares(10));
    expect(surveyed(nearly, TEN, 2, 'estimate').source).toBe('estimate');
    const many = new Array<number>(10).fill(100);
    expect(surveyed(nearly, many, 2).source).toBe('estimate');
  });

  it('stays what is assumed where images have those shares', () => {
    for (const counts of [TEN, [70, 20, 10]]) {
      const truth = sharesOf(counts);
      const { source, shares, survey } = surveyed(truth, counts, 2);
      expect(source).toBe('labelled');
      expect(shares).toEqual(truth);
      expect(survey!.distance).toBeLessThan(0.01);
    }
  });

  it('stays what is assumed where the classifier knows nothing', () => {
    const { survey } = surveyed(tail(0.55), TEN, 0);
    expect(survey!.distance).toBeLessThan(1e-12);
  });
});

describe('shares that are known', () => {
  it('are those that the rule says', () => {
    const counts = [30, 10, 60];
    const chosen = (rule: Balance['shares']) =>
      chooseShares(settingsWith(rule), 404, beginBalance(settingsWith(rule), counts), counts);
    expect(chosen('labelled')).toEqual({ source: 'labelled', shares: [0.3, 0.1, 0.6] });
    expect(chosen('equal')).toEqual({ source: 'equal', shares: equalShares(3) });
    expect(chosen([0.5, 0.25, 0.25])).toEqual({ source: 'given', shares: [0.5, 0.25, 0.25] });
    expect(chosen([0.501, 0.25, 0.25]).shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });
});
