// Tests what is shown of a stage, with a clock that stands still until it is moved.
import { describe, expect, it } from 'vitest';
import { Progress } from '../../../coordinator/terminal/progress.js';
import { normalise } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';
import type { Scenario } from '../../../src/training/scenario.js';
import { terminalWith } from './streams.js';

const TASK = { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 60_000 };

/**
 * Shows steps of the last stage of a scenario. Each takes `milliseconds` and has 288 rows; 128 of 256 pseudo-labels
 * count.
 */
function shown(
  isTTY: boolean,
  options: {
    scenario: Scenario;
    steps: number;
    milliseconds: number;
    first?: number;
    columns?: number;
    labelling?: number;
  },
) {
  const { scenario, steps, milliseconds, first = 0, columns, labelling = 0 } = options;
  const { terminal, stderr } = terminalWith(isTTY, { NO_COLOR: '1' }, columns);
  let now = 0;
  const progress = new Progress(terminal, () => now);
  const stage = planOf(normalise({ scenario }), TASK).at(-1)!;
  progress.stageBegins(stage, first, steps);
  now += labelling;
  for (let step = first; step < steps; step++) {
    now += milliseconds;
    const loss = stage.method.name === 'supervised' ? 0.5 : 0.75;
    const outcome = { loss, labelledLoss: 0.5, unlabelledLoss: 0.25, counted: 128, unlabelled: 256, rows: 288 };
    progress.measured({ kind: 'step', stage: stage.name, step, alpha: 2, ...outcome });
  }
  return stderr();
}

describe('progress on a terminal', () => {
  it('is redrawn ten times a second at most', () => {
    const drawn = shown(true, { scenario: 'pl', steps: 1000, milliseconds: 1 }).split('\r').length - 1;
    expect(drawn).toBeGreaterThanOrEqual(9);
    expect(drawn).toBeLessThanOrEqual(12);
  });

  it('shows bar, steps, time left, speed, the loss that is minimised, alpha and the counted share', () => {
    const lines = shown(true, { scenario: 'pl', steps: 200, milliseconds: 10 }).split('\r');
    expect(lines).toContain(
      '[##########..........]  finetune 100/200  1.0 s left  28,800 images/s  loss 0.750  alpha 2.00  counted 50 %',
    );
  });

  it('leaves out what the terminal has no room for, whole words only', () => {
    const lines = shown(true, { scenario: 'pl', steps: 200, milliseconds: 10, columns: 60 }).split('\r');
    expect(lines).toContain('[#####.....]  finetune 100/200  1.0 s left  28,800 images/s');
  });

  it('shows no alpha for a stage without pseudo-labels', () => {
    expect(shown(true, { scenario: 'drop', steps: 20, milliseconds: 200 })).not.toMatch(/alpha|counted/);
  });
});

describe('progress elsewhere', () => {
  it('is a line for each tenth of a stage, and nothing but text', () => {
    const text = shown(false, { scenario: 'pl', steps: 100, milliseconds: 200 });
    expect(text.trimEnd().split('\n')).toHaveLength(10);
    expect([...text].every((letter) => letter === '\n' || letter >= ' ')).toBe(true);
  });

  it('is a line every four seconds where a tenth takes longer', () => {
    const text = shown(false, { scenario: 'pl', steps: 100, milliseconds: 5000 });
    expect(text.trimEnd().split('\n')).toHaveLength(100);
  });

  it('tells no speed of the first step, before which images may have been labelled, and counts that in no other', () => {
    const text = shown(false, { scenario: 'pl', steps: 10, milliseconds: 1000, labelling: 60_000 });
    const [first, second] = text.split('\n');
    expect(first).toBe('  finetune 1/10  loss 0.750  alpha 2.00  counted 50 %');
    expect(second).toBe('  finetune 2/10  8.0 s left  288 images/s  loss 0.750  alpha 2.00  counted 50 %');
  });

  it('is one line for a stage that is over at once', () => {
    const text = shown(false, { scenario: 'nn', steps: 20, milliseconds: 10 });
    expect(text).toBe('  supervised: 20 steps in 0.2 s  loss 0.500  28,800 images/s\n');
  });

  it('tells class shares once, and again where a round of labels chooses others', () => {
    const { terminal, stderr } = terminalWith(false);
    const progress = new Progress(terminal, () => 0, ['cat', 'dog']);
    for (const shares of [
      [0.5, 0.5],
      [0.5, 0.5],
      [0.75, 0.25],
      [0.75, 0.25],
    ])
      progress.measured({ kind: 'shares', stage: 'finetune', step: 0, source: 'given', shares });
    expect(stderr()).toBe(
      '  class shares as given: equal, 50.0 % each\n  class shares as given: cat 75.0 %, dog 25.0 %\n',
    );
  });

  it('counts only its own steps where a run goes on', () => {
    const text = shown(false, { scenario: 'nn', steps: 20, first: 15, milliseconds: 10 });
    expect(text).toBe(
      '  supervised: goes on at step 15 of 20\n  supervised: 5 steps in 0.1 s  loss 0.500  28,800 images/s\n',
    );
  });
});
