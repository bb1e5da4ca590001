// Tests by which strategy a stage is trained.
import { describe, expect, it } from 'vitest';
import { modelOf } from '../../../src/models/dense/model.js';
import { normalise, type Options } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';
import { SCENARIOS } from '../../../src/training/scenario.js';
import { choiceLine, strategyOf } from '../../../src/training/strategy-choice.js';

const options = { inputDropout: 0, dropout: [] };
const classifier = modelOf([9, 32, 3], { ...options, objective: 'softmax' });
const deep = modelOf([9, 32, 16, 3], { ...options, objective: 'sigmoid' });
const autoencoder = modelOf([9, 32, 9], { ...options, objective: 'reconstruction' });
const narrow = modelOf([9, 32, 4, 2, 4, 32, 9], { ...options, objective: 'reconstruction' });
const odd = modelOf([9, 32, 4, 9], { ...options, objective: 'reconstruction' });

/** Returns a config. Options that are not given are left to the run. */
const by = (config: Options) => normalise(config);

describe('the strategy of a stage', () => {
  it.each([
    ['a classifier with one hidden layer', classifier],
    ['an autoencoder with one', autoencoder],
    ['an autoencoder with a narrow middle', narrow],
  ])('is tensor parallel for %s, unless it is told to be data parallel', (_, model) => {
    expect(strategyOf(by({}), { model })).toBe('tensor');
    for (const strategy of ['auto', 'tensor'] as const) expect(strategyOf(by({ strategy }), { model })).toBe('tensor');
    expect(strategyOf(by({ strategy: 'data' }), { model })).toBe('data');
  });

  it.each([{ wire: 'bf16' }, { fastSum: true }] as const)(
    'is data parallel where the config asks for %j, which gradients alone have, unless it is told to be tensor parallel',
    (config) => {
      for (const model of [classifier, narrow]) {
        expect(strategyOf(by(config), { model })).toBe('data');
        expect(strategyOf(by({ ...config, strategy: 'tensor' }), { model })).toBe('tensor');
      }
    },
  );

  it.each([
    ['a classifier with two hidden layers', deep],
    ['an autoencoder with two', odd],
  ])('is data for %s; asked for tensor, it says what to do', (_, model) => {
    for (const strategy of ['auto', 'data'] as const) expect(strategyOf(by({ strategy }), { model })).toBe('data');
    expect(() => strategyOf(by({ strategy: 'tensor' }), { model })).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining('--strategy') }),
    );
  });
});

describe('the strategy of a stage that keeps an average of its weights', () => {
  it('is data; asked for tensor, it says what to do', () => {
    expect(strategyOf(by({}), { model: classifier, average: 0.99 })).toBe('data');
    expect(() => strategyOf(by({ strategy: 'tensor' }), { model: classifier, average: 0.99 })).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining('--strategy data') }),
    );
  });
});

describe('the strategy of a stage whose gradient is clipped', () => {
  it('is data; asked for tensor, it says what to do', () => {
    for (const strategy of ['auto', 'data'] as const)
      expect(strategyOf(by({ strategy }), { model: classifier, clip: 1 })).toBe('data');
    expect(() => strategyOf(by({ strategy: 'tensor' }), { model: classifier, clip: 1 })).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining('--strategy data') }),
    );
  });
});

describe('the strategy of a stage that changes images', () => {
  const stage = { model: classifier, augment: { labelled: { shift: 1 } } };
  it('is data parallel, and asked for tensor it says what to do', () => {
    for (const strategy of ['auto', 'data'] as const) expect(strategyOf(by({ strategy }), stage)).toBe('data');
    expect(() => strategyOf(by({ strategy: 'tensor' }), stage)).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining('--strategy data') }),
    );
  });
});

describe('the choice that is left to a run', () => {
  const task = { pixels: 9, classes: 3, hidden: [32], labelled: 9, unlabelled: 90 };
  const lineOf = (config: Options) => choiceLine(normalise(config), planOf(normalise(config), task));

  it('is told with its reason, and with the stages that are trained otherwise', () => {
    const line = 'strategy: tensor, since workers exchange sums over their units then, not gradients';
    for (const scenario of SCENARIOS) expect(lineOf({ scenario })).toBe(line);
    const config = normalise({ scenario: 'dae' });
    const stages = planOf(config, { ...task, hidden: [32, 16] });
    expect(choiceLine(config, stages)).toBe(`${line}; data for finetune, whose network it does not cut`);
    const classifiers = stages.filter(({ method }) => method.name !== 'denoising');
    expect(choiceLine(config, classifiers)).toBe('strategy: data, since no stage trains a network that tensor cuts');
  });

  it('is told of stages that change images', () => {
    expect(lineOf({ augment: 'digits' })).toBe('strategy: data, since images are changed, which tensor does not do');
    expect(lineOf({ augment: 'digits', scenario: 'dae' })).toBe(
      'strategy: tensor, since workers exchange sums over their units then, not gradients; data for finetune, whose images are changed',
    );
    expect(normalise({ augment: 'digits' }).shards).toBe(4);
    for (const of of [{ augment: 'none' }, { augment: 'digits', scenario: 'dae' }] as const)
      expect(normalise(of).shards).toBe(8);
  });

  it('names the option that only gradients have', () => {
    expect(lineOf({ wire: 'bf16' })).toBe('strategy: data, since --wire bf16 is about gradients');
    expect(lineOf({ scenario: 'dae', fastSum: true })).toBe('strategy: data, since --fast-sum is about gradients');
  });

  it('names the stages whose gradients are clipped', () => {
    const set = { 'finetune.clip': 1 };
    expect(lineOf({ set })).toBe('strategy: data, since gradients are clipped, which tensor has none of');
    const others = 'strategy: tensor, since workers exchange sums over their units then, not gradients';
    expect(lineOf({ scenario: 'dae', set })).toBe(`${others}; data for finetune, whose gradients are clipped`);
  });

  it('is not told of where there was none', () => {
    for (const scenario of SCENARIOS) expect(lineOf({ scenario, strategy: 'data' })).toBeUndefined();
    for (const scenario of SCENARIOS) expect(lineOf({ scenario, strategy: 'tensor' })).toBeUndefined();
  });
});
