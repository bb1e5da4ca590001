// Tests the numbers of an update, from a stage's optimizer and schedules.
import { describe, expect, it } from 'vitest';
import { ADAM, classifier } from '../../../src/training/presets/shared.js';
import { optimizerStep, type Stage } from '../../../src/training/stage.js';

const STAGE: Stage = {
  name: 'supervised',
  model: classifier({ pixels: 16, classes: 2, hidden: [16], labelled: 8, unlabelled: 8 }, false, 'softmax'),
  steps: 40,
  labelledBatch: 2,
  method: { name: 'supervised' },
  optimizer: ADAM,
  rate: { kind: 'decay', initial: 2, factor: 0.5, every: 10 },
  start: 'fresh',
};

describe('optimizerStep', () => {
  it('gives Adam the rate of the step and the number of the update, from 1', () => {
    const rest = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
    expect(optimizerStep(STAGE, 0)).toEqual({ ...rest, rate: 2, t: 1 });
    expect(optimizerStep(STAGE, 20)).toEqual({ ...rest, rate: 0.5, t: 21 });
  });

  it('makes plain SGD of the momentum without memory: p = p - rate g', () => {
    const sgd: Stage = { ...STAGE, optimizer: { kind: 'sgd' } };
    expect(optimizerStep(sgd, 10)).toEqual({ kind: 'momentum', a: 0, b: 1, c: 1 });
  });

  it('dampens the gradient by 1 - p, with p of the last rise and the rate of the step: m = p m + (1 - p) rate g', () => {
    const dampened: Stage = {
      ...STAGE,
      optimizer: { kind: 'dampened', momentum: { initial: 0.5, final: 0.75, over: 16, every: 4 } },
    };
    expect(optimizerStep(dampened, 0)).toEqual({ kind: 'momentum', a: 0.5, b: 0.5 * 2, c: 1 });
    expect(optimizerStep(dampened, 10)).toEqual({ kind: 'momentum', a: 0.625, b: 0.375 * 1, c: 1 }); // as at step 8 of 16
    expect(optimizerStep(dampened, 30)).toEqual({ kind: 'momentum', a: 0.75, b: 0.25 * 0.25, c: 1 });
  });

  it('gives SGD its momentum, as Nesterov where asked for, and keeps what weight decay leaves of each parameter', () => {
    const sgd = (optimizer: object): Stage => ({ ...STAGE, optimizer: { kind: 'sgd', ...optimizer } });
    expect(optimizerStep(sgd({ momentum: 0.9 }), 10)).toEqual({ kind: 'momentum', a: 0.9, b: 1, c: 1 });
    const nesterov = { momentum: 0.9, nesterov: true, weightDecay: 0.25 };
    expect(optimizerStep(sgd(nesterov), 10)).toEqual({
      kind: 'momentum',
      a: 0.9,
      b: 1,
      c: 1,
      nesterov: true,
      keep: 0.75,
    });
    expect(optimizerStep({ ...STAGE, optimizer: { ...ADAM, weightDecay: 0.25 } }, 0)).toMatchObject({ keep: 0.5 });
    expect(optimizerStep({ ...STAGE, optimizer: { ...ADAM, weightDecay: 9 } }, 0)).toMatchObject({ keep: 0 });
  });

  it('takes the rate of a cosine over the steps of the stage', () => {
    const cosine: Stage = { ...STAGE, rate: { kind: 'cosine', initial: 1, final: 0 } };
    expect(optimizerStep(cosine, 20)).toMatchObject({ rate: expect.closeTo(0.5, 12) });
  });
});
