// Which strategy a stage is trained by.
import { describe, expect, it } from 'vitest';
import { normalise } from '../../src/config.js';
import { modelOf, type Precision } from '../../src/engine/model.js';
import { planOf } from '../../src/plan.js';
import { SCENARIOS } from '../../src/presets/scenario.js';
import { choiceLine, strategyOf } from '../../src/strategy.js';

const options = { inputDropout: 0, dropout: [] };
const classifier = modelOf([9, 32, 3], { ...options, objective: 'softmax' });
const deep = modelOf([9, 32, 16, 3], { ...options, objective: 'sigmoid' });
const autoencoder = modelOf([9, 32, 9], { ...options, objective: 'reconstruction' });
const narrow = modelOf([9, 32, 4, 2, 4, 32, 9], { ...options, objective: 'reconstruction' });
const odd = modelOf([9, 32, 4, 9], { ...options, objective: 'reconstruction' });

describe('the strategy of a stage', () => {
  it.each([
    ['a classifier with one hidden layer', classifier, 'hidden'],
    ['an autoencoder with one', autoencoder, 'data'],
    ['an autoencoder with a narrow middle', narrow, 'data'],
  ] as const)('is by hidden units for %s where they are asked for; what is left to it is told', (_, model, auto) => {
    expect(strategyOf({ strategy: 'hidden' }, model)).toBe('hidden');
    expect(strategyOf({ strategy: 'data' }, model)).toBe('data');
    expect(strategyOf({ strategy: 'auto' }, model)).toBe(auto);
  });

  it.each([
    ['a classifier with two hidden layers', deep],
    ['an autoencoder with two', odd],
    ['an autoencoder of bf16', { ...narrow, precision: 'bf16' } as const],
  ])('is data for %s; asked for hidden, it says what to do', (_, model) => {
    for (const strategy of ['auto', 'data'] as const) expect(strategyOf({ strategy }, model)).toBe('data');
    expect(() => strategyOf({ strategy: 'hidden' }, model)).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining('--strategy') }),
    );
  });
});

describe('the choice that is left to a run', () => {
  const task = { pixels: 9, classes: 3, hidden: 32, labelled: 9, unlabelled: 90 };
  const lineOf = (
    scenario: (typeof SCENARIOS)[number],
    strategy: 'auto' | 'hidden' | 'data',
    precision: Precision = 'f32',
  ) => {
    const config = normalise({ scenario, strategy, precision });
    return choiceLine(config, planOf(config, task));
  };

  it('is told with its reason, and with the stages that are trained otherwise', () => {
    const reason = 'workers exchange sums over their units then, not gradients';
    const line = `strategy: hidden, since ${reason}`;
    for (const scenario of ['nn', 'drop', 'pl'] as const) expect(lineOf(scenario, 'auto')).toBe(line);
    for (const precision of ['f32', 'bf16'] as const) {
      expect(lineOf('dae', 'auto', precision)).toBe(
        `${line}; data for pretrain, which trains no classifier with one hidden layer`,
      );
    }
    const config = normalise({ scenario: 'dae' });
    const autoencoders = planOf(config, task).filter(({ denoising }) => denoising);
    expect(choiceLine({ strategy: 'auto' }, autoencoders)).toContain('strategy: data');
  });

  it('is not told of where there was none', () => {
    for (const scenario of SCENARIOS) expect(lineOf(scenario, 'data')).toBeUndefined();
    expect(lineOf('pl', 'hidden')).toBeUndefined();
  });
});
