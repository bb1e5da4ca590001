// Tests the presets against the report and the paper, number by number.

import { describe, expect, it } from 'vitest';
import { best } from '../../../../src/training/presets/best.js';
import { paper } from '../../../../src/training/presets/paper.js';
import { report } from '../../../../src/training/presets/report.js';
import type { Preset, PresetInput } from '../../../../src/training/presets/shared.js';
import { PUBLISHED, ROW_NAMES, SCENARIOS, type Scenario } from '../../../../src/training/scenario.js';
import type { Stage } from '../../../../src/training/stage.js';
import { denseOf } from '../../../dense.js';

const MNIST: PresetInput = { pixels: 784, classes: 10, hidden: [5000], labelled: 100, unlabelled: 60_000 };

const names = (stages: readonly Stage[]) => stages.map(({ name }) => name);
const steps = (stages: readonly Stage[]) => stages.map((stage) => stage.steps);
const totalSteps = (stages: readonly Stage[]) => steps(stages).reduce((sum, n) => sum + n, 0);
const widths = ({ model }: Stage) => {
  const { layers } = denseOf(model);
  return [layers[0]!.inputs, ...layers.map(({ units }) => units)];
};
const dropout = ({ model }: Stage) => {
  const { inputDropout, layers } = denseOf(model);
  return [inputDropout, ...layers.slice(0, -1).map((layer) => layer.dropout)];
};

const CLASSIFIER = [784, 5000, 10];
const AUTOENCODER = [784, 5000, 128, 64, 32, 64, 128, 5000, 784];
const KERAS_ADAM = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

describe('the report', () => {
  const stagesOf = (scenario: Scenario) => report(scenario, MNIST);

  it('takes 80, 2000, 4000 and 21150 steps for the rows of its table', () => {
    expect(SCENARIOS.map((scenario) => totalSteps(stagesOf(scenario)))).toEqual([80, 2000, 4000, 21_150]);
  });

  it('trains NN for 20 epochs with Adam at 0.001 and no dropout', () => {
    const [stage, ...more] = stagesOf('nn') as [Stage];
    expect(more).toEqual([]);
    expect(stage).toMatchObject({ steps: 80, labelledBatch: 32, optimizer: KERAS_ADAM });
    expect(stage.rate).toEqual({ kind: 'constant', value: 0.001 });
    expect([widths(stage), dropout(stage)]).toEqual([CLASSIFIER, [0, 0]]);
  });

  it('trains DropNN for 500 epochs with SGD from 1.5, times 0.88 every ten steps', () => {
    const [stage] = stagesOf('drop') as [Stage];
    expect(stage.optimizer).toEqual({ kind: 'sgd' });
    expect(stage.rate).toEqual({ kind: 'decay', initial: 1.5, factor: 0.88, every: 10 });
    expect([widths(stage), dropout(stage)]).toEqual([CLASSIFIER, [0.2, 0.5]]);
  });

  it('goes on from DropNN with pseudo-labels predicted once, alpha from 0 to 3 between epochs 100 and 600', () => {
    const [drop, pl] = stagesOf('pl') as [Stage, Stage];
    expect(drop).toEqual(stagesOf('drop')[0]);
    expect(pl).toMatchObject({ steps: 2000, start: 'previous', optimizer: KERAS_ADAM });
    expect(pl.method).toEqual({
      name: 'pseudo-label',
      batch: 256,
      alpha: { t1: 400, t2: 2400, final: 3, every: 4 },
      refresh: 'once',
      threshold: 0,
    });
  });

  it('trains the autoencoder for ten epochs of all images, then its first layer with the labels for 100, then pseudo-labels', () => {
    const [dae, supervised, pl] = stagesOf('dae') as [Stage, Stage, Stage];
    expect(steps([dae, supervised, pl])).toEqual([18_750, 400, 2000]);
    expect([widths(dae), dropout(dae)]).toEqual([AUTOENCODER, [0, 0.5, 0, 0, 0, 0, 0, 0.5]]);
    expect(dae).toMatchObject({ labelledBatch: 0, method: { name: 'denoising', batch: 32, noise: 0.5 } });
    expect(supervised).toMatchObject({ start: 'first-layer', optimizer: KERAS_ADAM });
    expect([dropout(supervised), dropout(pl)]).toEqual([
      [0, 0.5],
      [0, 0.5],
    ]);
    expect(pl.start).toBe('previous');
  });
});

describe('the paper', () => {
  it('trains sigmoid outputs with its momentum and rate', () => {
    for (const scenario of SCENARIOS) {
      for (const stage of paper(scenario, MNIST)) {
        const every = stage.name === 'pretrain' ? 235 : 4; // These are the steps of an epoch.
        expect(stage.rate).toEqual({ kind: 'decay', initial: 1.5, factor: 0.998, every });
        expect(stage.optimizer).toEqual({
          kind: 'dampened',
          momentum: { initial: 0.5, final: 0.99, over: 500 * every, every },
        });
        expect(stage.model.objective).toBe(stage.name === 'pretrain' ? 'reconstruction' : 'sigmoid');
      }
    }
  });

  it('refreshes the pseudo-labels at each update, alpha to 3 between epochs 100 and 600, or 200 and 800 after an autoencoder', () => {
    const pseudoOf = (scenario: Scenario) => paper(scenario, MNIST).at(-1)!.method;
    const rest = { name: 'pseudo-label', batch: 256, refresh: 'step', threshold: 0 };
    expect(pseudoOf('pl')).toEqual({ ...rest, alpha: { t1: 400, t2: 2400, final: 3, every: 4 } });
    expect(pseudoOf('dae')).toEqual({ ...rest, alpha: { t1: 800, t2: 3200, final: 3, every: 4 } });
  });

  it('runs past T2 in every row', () => {
    expect(SCENARIOS.map((scenario) => totalSteps(paper(scenario, MNIST)))).toEqual([4000, 4000, 4000, 2350 + 4000]);
  });
});

describe('ours', () => {
  it('uses the stages of the paper in fewer steps than the report', () => {
    expect(SCENARIOS.map((scenario) => names(best(scenario, MNIST)))).toEqual([
      ['supervised'],
      ['supervised'],
      ['finetune'],
      ['pretrain', 'finetune'],
    ]);
    for (const scenario of ['pl', 'dae'] as const) {
      expect(totalSteps(best(scenario, MNIST))).toBeLessThan(totalSteps(report(scenario, MNIST)));
    }
  });
});

describe.each<[string, Preset]>([
  ['best', best],
  ['paper', paper],
  ['report', report],
])('every stage of %s', (_, preset) => {
  const rows = SCENARIOS.map((scenario) => [scenario, preset(scenario, MNIST)] as const);

  it('has a model of the data it is for', () => {
    for (const [, stages] of rows) {
      for (const stage of stages) expect(widths(stage)).toEqual(stage.name === 'pretrain' ? AUTOENCODER : CLASSIFIER);
    }
  });

  it('starts from something: the first afresh, the others from the one before', () => {
    for (const [, stages] of rows) {
      expect(stages.map(({ start }) => start === 'fresh')).toEqual(stages.map((__, s) => s === 0));
    }
  });

  it('uses pseudo-labels in the rows that say so, dropout in all but NN, and an autoencoder in the last', () => {
    for (const [scenario, stages] of rows) {
      expect(stages.some(({ method }) => method.name === 'pseudo-label')).toBe(scenario === 'pl' || scenario === 'dae');
      expect(stages.some(({ method }) => method.name === 'denoising')).toBe(scenario === 'dae');
      expect(dropout(stages.at(-1)!).some((rate) => rate > 0)).toBe(scenario !== 'nn');
    }
  });
});

describe('the table', () => {
  it('has the accuracies of the paper and the report', () => {
    expect(
      SCENARIOS.map((scenario) => [ROW_NAMES[scenario], PUBLISHED[scenario].paper, PUBLISHED[scenario].report]),
    ).toEqual([
      ['NN', 74.19, 70.03],
      ['DropNN', 78.11, 71.2],
      ['DropNN+PL', 83.85, 72.28],
      ['DropNN+PL+DAE', 89.51, 76.95],
    ]);
  });
});
