// Tests how a config becomes the stages of its training.

import { describe, expect, it } from 'vitest';
import { normalise } from '../../../src/training/config.js';
import { planOf, shorten } from '../../../src/training/plan.js';
import { PRESETS } from '../../../src/training/presets/presets.js';
import { SCENARIOS } from '../../../src/training/scenario.js';
import { denseOf } from '../../dense.js';
import { pseudoLabelsOf } from '../../pseudo-labels.js';

const TASK = { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 60_000 };

const plan = (options: object) => {
  const config = normalise({ hidden: 64, ...options });
  return planOf(config, { ...TASK, hidden: [config.hidden] });
};
const every = PRESETS.flatMap((preset) => SCENARIOS.map((scenario) => ({ preset, scenario })));

describe('the balance of pseudo-labels', () => {
  const balanceOf = (options: object) => pseudoLabelsOf(plan(options).at(-1)!)?.balance;

  it('is what the preset says, unless one says otherwise', () => {
    expect(balanceOf({ preset: 'best' })).toEqual({ momentum: 0.99, shares: 'auto' });
    expect(balanceOf({ preset: 'paper' })).toBeUndefined();
    expect(balanceOf({ preset: 'paper', classShares: 'equal' })).toEqual({ momentum: 0.99, shares: 'equal' });
    expect(balanceOf({ preset: 'best', classShares: 'off' })).toBeUndefined();
  });

  it('goes with labels that are refreshed at each step only', () => {
    expect(balanceOf({ preset: 'best', refresh: 'epoch' })).toBeUndefined();
    for (const refresh of ['once', 'epoch', 7]) {
      expect(() => plan({ refresh, classShares: 'auto' })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    }
  });
});

describe('shares of the classes that a user gives', () => {
  const shares = new Array<number>(10).fill(0.1);

  it('are kept as they are, one a class', () => {
    expect(pseudoLabelsOf(plan({ classShares: shares }).at(-1)!)?.balance?.shares).toEqual(shares);
    for (const classShares of [shares.slice(1).map((share) => share / 0.9), [0.5, 0.5]]) {
      expect(() => plan({ classShares })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    }
  });

  it('sum to 1', () => {
    for (const classShares of [shares.map((share) => share / 2), [...shares.slice(1), -0.1], 'fair']) {
      expect(() => plan({ classShares })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    }
  });
});

describe('planOf', () => {
  it.each(every)('is a plan that can be carried out: $preset, $scenario', (options) => {
    const stages = plan(options);
    expect(stages[0]!.start).toBe('fresh');
    expect(new Set(stages.map(({ name }) => name)).size).toBe(stages.length);
    for (const [s, stage] of stages.entries()) {
      expect(stage.steps).toBeGreaterThan(0);
      expect(denseOf(stage.model).layers[0]!.inputs).toBe(TASK.pixels);
      expect(denseOf(stage.model).layers.at(-1)!.units).toBe(
        stage.method.name === 'denoising' ? TASK.pixels : TASK.classes,
      );
      if (stage.start === 'first-layer') {
        const { inputs, units } = denseOf(stages[s - 1]!.model).layers[0]!;
        expect(denseOf(stage.model).layers[0]).toMatchObject({ inputs, units });
      }
      if (stage.start === 'previous') {
        const sizes = (of: typeof stage) => denseOf(of.model).layers.map(({ inputs, units }) => [inputs, units]);
        expect(sizes(stage)).toEqual(sizes(stages[s - 1]!));
      }
    }
  });

  it.each(every)(
    'uses pseudo-labels in pl and dae, and a denoising autoencoder in dae: $preset, $scenario',
    (options) => {
      const stages = plan(options);
      expect(stages.some(({ method }) => method.name === 'pseudo-label')).toBe(
        options.scenario === 'pl' || options.scenario === 'dae',
      );
      expect(stages.some(({ method }) => method.name === 'denoising')).toBe(options.scenario === 'dae');
    },
  );

  it('gives refresh and threshold to the stages with pseudo-labels, an epoch being a pass over the unlabelled images', () => {
    const [stage] = plan({ scenario: 'pl', refresh: 'epoch', threshold: 0.25 });
    const method = pseudoLabelsOf(stage!)!;
    expect(method).toMatchObject({ refresh: Math.ceil(60_000 / method.batch), threshold: 0.25 });
    expect(plan({ scenario: 'nn', refresh: 7 })).toEqual(plan({ scenario: 'nn' }));
  });
});

describe('--quick', () => {
  it.each(every)(
    'reaches the same alpha and rate at the end of each stage in fewer steps: $preset, $scenario',
    (options) => {
      const [whole, quick] = [plan(options), plan({ ...options, quick: true })];
      for (const [s, stage] of whole.entries()) {
        const short = quick[s]!;
        const share = short.steps / stage.steps;
        expect(share).toBeLessThan(0.2);
        const [long, brief] = [stage, short].map(pseudoLabelsOf);
        if (long) expect(brief!.alpha.t2 / long.alpha.t2).toBeCloseTo(share, 2);
        if (stage.rate.kind === 'decay' && short.rate.kind === 'decay')
          expect(short.rate.every / stage.rate.every).toBeCloseTo(share, 2);
      }
    },
  );

  it('keeps at least one step', () => {
    expect(shorten({ ...plan({ scenario: 'nn' })[0]!, steps: 2 }, 0.01).steps).toBe(1);
  });
});
