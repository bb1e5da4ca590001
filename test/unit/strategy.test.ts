// Which strategy a stage is trained by.
import { describe, expect, it } from 'vitest';
import { normalise } from '../../src/config.js';
import { modelOf } from '../../src/engine/model.js';
import { planOf } from '../../src/plan.js';
import { SCENARIOS } from '../../src/presets/scenario.js';
import { choiceLine, strategyOf } from '../../src/strategy.js';

const options = { inputDropout: 0, dropout: [] };
const classifier = modelOf([9, 32, 3], { ...options, objective: 'softmax' });
const deep = modelOf([9, 32, 16, 3], { ...options, objective: 'sigmoid' });
const autoencoder = modelOf([9, 32, 9], { ...options, objective: 'reconstruction' });

describe('the strategy of a stage', () => {
  it('is by hidden units for a classifier with one hidden layer, unless data is asked for', () => {
    for (const strategy of ['auto', 'hidden'] as const) expect(strategyOf({ strategy }, classifier)).toBe('hidden');
    expect(strategyOf({ strategy: 'data' }, classifier)).toBe('data');
  });

  it.each([
    ['a classifier with two hidden layers', deep],
    ['an autoencoder', autoencoder],
  ])('is data for %s; asked for hidden, it says what to do', (_, model) => {
    for (const strategy of ['auto', 'data'] as const) expect(strategyOf({ strategy }, model)).toBe('data');
    expect(() => strategyOf({ strategy: 'hidden' }, model)).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining('--strategy') }),
    );
  });
});

describe('the choice that is left to a run', () => {
  const task = { pixels: 9, classes: 3, hidden: 32, labelled: 9, unlabelled: 90 };
  const lineOf = (scenario: (typeof SCENARIOS)[number], strategy: 'auto' | 'hidden' | 'data') => {
    const config = normalise({ scenario, strategy });
    return choiceLine(config, planOf(config, task));
  };

  it('is told with its reason, and with the stages that are trained otherwise', () => {
    for (const scenario of ['nn', 'drop', 'pl'] as const) {
      expect(lineOf(scenario, 'auto')).toBe(
        'strategy: hidden, since a classifier with one hidden layer exchanges logits then, not gradients',
      );
    }
    expect(lineOf('dae', 'auto')).toMatch(/^strategy: hidden, since .*; data for pretrain, which is none$/);
    const stages = planOf(normalise({ scenario: 'dae' }), task);
    const autoencoders = stages.filter(({ denoising }) => denoising);
    expect(choiceLine({ strategy: 'auto' }, autoencoders)).toContain('strategy: data');
  });

  it('is not told of where there was none', () => {
    for (const scenario of SCENARIOS) expect(lineOf(scenario, 'data')).toBeUndefined();
    expect(lineOf('pl', 'hidden')).toBeUndefined();
  });
});
