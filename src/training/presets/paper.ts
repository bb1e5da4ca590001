// The preset paper: the hyper-parameters of Lee 2013, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning
// Method for Deep Neural Networks". Its epochs are turned into steps here, so that the more labels there are, the more
// steps they have. The paper does not state what an epoch is, nor how many there are: here an epoch is a pass over the
// labelled images (as in the report), and there are 1000 of them, which is past T2 = 800.

import type { PseudoLabelSettings } from '../../methods/pseudo-label.js';
import type { RateSchedule } from '../schedule.js';
import type { Optimizer, Stage } from '../stage.js';
import { autoencoder, classifier, type Preset } from './shared.js';

const LABELLED_BATCH = 32; // section "Experiments"
const UNLABELLED_BATCH = 256; // section "Experiments"
const EPOCHS = 1000;
const RATE = 1.5; // section "Dropout": initial learning rate
const RATE_DECAY = 0.998; // section "Dropout": factor k of each epoch
const MOMENTUM = { initial: 0.5, final: 0.99 }; // section "Dropout": p_i, p_f
const MOMENTUM_EPOCHS = 500; // section "Dropout": T
const ALPHA_FINAL = 3; // section "Pseudo-Label"
const RAMP_PLAIN = { t1: 100, t2: 600 }; // section "Pseudo-Label": T1 and T2 in epochs, without pre-training
const RAMP_PRETRAINED = { t1: 200, t2: 800 }; // the same, with a denoising autoencoder
const NOISE = 0.5; // section "Denoising Auto-Encoder": standard deviation
const PRETRAIN_EPOCHS = 10; // the paper does not state it; the report has 10

const dampened = (stepsPerEpoch: number): Optimizer => ({
  kind: 'dampened',
  momentum: { ...MOMENTUM, over: MOMENTUM_EPOCHS * stepsPerEpoch, every: stepsPerEpoch },
});

const decaying = (stepsPerEpoch: number): RateSchedule => ({
  kind: 'decay',
  initial: RATE,
  factor: RATE_DECAY,
  every: stepsPerEpoch,
});

export const paper: Preset = (scenario, task) => {
  const stepsPerEpoch = Math.ceil(task.labelled / LABELLED_BATCH);
  const supervised: Stage = {
    name: 'supervised',
    model: classifier(task, scenario !== 'nn', 'sigmoid'), // ReLU, sigmoid outputs, dropout 0.2 and 0.5
    steps: EPOCHS * stepsPerEpoch,
    labelledBatch: LABELLED_BATCH,
    method: { name: 'supervised' },
    optimizer: dampened(stepsPerEpoch),
    rate: decaying(stepsPerEpoch),
    start: 'fresh',
  };
  const pseudo = ({ t1, t2 }: typeof RAMP_PLAIN): PseudoLabelSettings => ({
    name: 'pseudo-label',
    batch: UNLABELLED_BATCH,
    alpha: { t1: t1 * stepsPerEpoch, t2: t2 * stepsPerEpoch, final: ALPHA_FINAL, every: stepsPerEpoch },
    refresh: 'step', // "every weights update"
    threshold: 0,
  });
  switch (scenario) {
    case 'nn':
    case 'drop':
      return [supervised];
    case 'pl':
      return [{ ...supervised, name: 'finetune', method: pseudo(RAMP_PLAIN) }];
    case 'dae': {
      const daeStepsPerEpoch = Math.ceil(task.unlabelled / UNLABELLED_BATCH);
      return [
        {
          ...supervised,
          name: 'pretrain',
          model: autoencoder(task),
          steps: PRETRAIN_EPOCHS * daeStepsPerEpoch,
          labelledBatch: 0,
          method: { name: 'denoising', batch: UNLABELLED_BATCH, noise: NOISE },
          optimizer: dampened(daeStepsPerEpoch),
          rate: decaying(daeStepsPerEpoch),
        },
        { ...supervised, name: 'finetune', method: pseudo(RAMP_PRETRAINED), start: 'first-layer' },
      ];
    }
  }
};
