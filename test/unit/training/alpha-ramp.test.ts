// Tests how far alpha(t) rises in a run, and what is said of it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alpha } from '../../../src/methods/alpha.js';
import { rampLines, rampOf } from '../../../src/training/alpha-ramp.js';
import { normalise, type Options } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';
import type { PresetInput } from '../../../src/training/presets/shared.js';
import { pseudoLabelsOf } from '../../pseudo-labels.js';

const scenario = fc.constantFrom('pl', 'dae');
const tasks: fc.Arbitrary<PresetInput> = fc
  .record({
    classes: fc.integer({ min: 2, max: 200 }),
    perClass: fc.integer({ min: 1, max: 5000 }),
    unlabelled: fc.integer({ min: 1, max: 1_000_000 }),
    pixels: fc.integer({ min: 1, max: 64 }),
  })
  .map(({ perClass, ...task }) => ({ ...task, hidden: [64], labelled: perClass * task.classes }));

/** The stage with pseudo-labels. */
const stageOf = (options: Options, task: PresetInput) => planOf(normalise({ hidden: 64, ...options }), task).at(-1)!;

const MNIST: PresetInput = { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 60_000 };

describe('alpha(t) of the preset best', () => {
  it('has its full weight from the middle of the stage on, whatever the labels and classes, --quick or not (case 1)', () => {
    fc.assert(
      fc.property(tasks, scenario, fc.boolean(), (task, name, quick) => {
        const stage = stageOf({ scenario: name, quick }, task);
        const { steps } = stage;
        const pseudo = pseudoLabelsOf(stage);
        const at = (share: number) => alpha(pseudo!.alpha, Math.floor(share * steps));
        expect(at(0)).toBe(0);
        expect(at(0.25)).toBeGreaterThan(0);
        expect(at(0.5)).toBe(pseudo!.alpha.final);
      }),
    );
  });

  it('is the same for 100 labels and for 1,000 (case 1)', () => {
    const alphas = (labelled: number) => pseudoLabelsOf(stageOf({ scenario: 'pl' }, { ...MNIST, labelled }))!.alpha;
    expect(alphas(1000)).toEqual(alphas(100));
  });
});

describe('alpha(t) of the papers, in epochs of the labelled images', () => {
  it('gets as far whatever the labels and classes: the number of steps grows with them (case 1)', () => {
    fc.assert(
      fc.property(tasks, scenario, fc.boolean(), (task, name, quick) => {
        const paper = rampOf(stageOf({ preset: 'paper', scenario: name, quick }, task))!;
        expect(paper.last).toBe(paper.final);
        expect(paper.stepsAtZero / paper.steps).toBeLessThan(0.25);
        const report = rampOf(stageOf({ preset: 'report', scenario: name, quick }, task))!;
        expect(report.last).toBeGreaterThan(2); // 2.39 in whole, after 500 epochs
      }),
      { numRuns: 30 },
    );
  });
});

describe('what is said of alpha(t) before a run begins', () => {
  const lines = (options: Options) => rampLines(planOf(normalise({ hidden: 64, ...options }), MNIST), options.maxSteps);

  it('names the share of the steps without pseudo-labels, and that all of them are without (case 1)', () => {
    const ended = { scenario: 'pl', preset: 'paper', maxSteps: 300 } as const;
    expect(lines(ended)).toEqual(['finetune: no pseudo-label will count, since alpha(t) stays 0 in all its 300 steps']);
    expect(lines({ ...ended, maxSteps: 800 })).toEqual([
      'finetune: alpha(t) is 0 in 404 of 800 steps (51 %), then rises to 0.59, not to its final 3',
    ]);
    expect(lines({ scenario: 'dae', preset: 'paper' })).toEqual([
      'finetune: alpha(t) is 0 in 804 of 4,000 steps (20 %), then rises to 3',
    ]);
  });

  it('is nothing where there are no pseudo-labels', () => {
    for (const name of ['nn', 'drop'] as const) expect(lines({ scenario: name })).toEqual([]);
  });
});
