// Which strategy a stage is trained by.
import { describe, expect, it } from 'vitest';
import { modelOf } from '../../src/engine/model.js';
import { strategyOf } from '../../src/strategy.js';

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
