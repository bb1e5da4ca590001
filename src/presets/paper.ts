// The hyper-parameters of Lee 2013, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks".
// Not stated there, so chosen here: an epoch is a pass over the labelled images (as in the report), and 1000 of them are run, past T2 = 800.
import type { Stage } from '../stage.js';
import { autoencoder, classifier, type Preset } from './scenario.js';

const LABELLED_BATCH = 32; // section "Experiments"
const UNLABELLED_BATCH = 256; // section "Experiments"
const EPOCHS = 1000;
const RATE = 1.5; // section "Dropout": initial learning rate
const RATE_DECAY = 0.998; // section "Dropout": factor k of each epoch
const MOMENTUM = { initial: 0.5, final: 0.99, epochs: 500 }; // section "Dropout": p_i, p_f, T
const ALPHA_FINAL = 3; // section "Pseudo-Label"
const ALPHA_PLAIN = { t1: 100, t2: 600, final: ALPHA_FINAL }; // section "Pseudo-Label", without pre-training
const ALPHA_PRETRAINED = { t1: 200, t2: 800, final: ALPHA_FINAL }; // the same, with a denoising autoencoder
const NOISE = 0.5; // section "Denoising Auto-Encoder": standard deviation
const PRETRAIN_EPOCHS = 10; // not stated; the report's

export const paper: Preset = (scenario, task) => {
  const stepsPerEpoch = Math.ceil(task.labelled / LABELLED_BATCH);
  const supervised: Stage = {
    name: 'supervised',
    model: classifier(task, scenario !== 'nn', 'sigmoid'), // ReLU, sigmoid outputs, dropout 0.2 and 0.5
    steps: EPOCHS * stepsPerEpoch,
    stepsPerEpoch,
    labelledBatch: LABELLED_BATCH,
    pseudo: undefined,
    denoising: undefined,
    optimizer: { kind: 'dampened', momentum: MOMENTUM },
    rate: { kind: 'decay', initial: RATE, factor: RATE_DECAY, every: stepsPerEpoch },
    start: 'fresh',
  };
  const pseudo = (alpha: typeof ALPHA_PLAIN) =>
    ({ batch: UNLABELLED_BATCH, alpha, refresh: 'step', threshold: 0, balance: undefined }) as const; // "every weights update"
  switch (scenario) {
    case 'nn':
    case 'drop':
      return [supervised];
    case 'pl':
      return [{ ...supervised, name: 'finetune', pseudo: pseudo(ALPHA_PLAIN) }];
    case 'dae': {
      const daeStepsPerEpoch = Math.ceil(task.unlabelled / UNLABELLED_BATCH);
      return [
        {
          ...supervised,
          name: 'pretrain',
          model: autoencoder(task),
          steps: PRETRAIN_EPOCHS * daeStepsPerEpoch,
          stepsPerEpoch: daeStepsPerEpoch,
          labelledBatch: 0,
          denoising: { batch: UNLABELLED_BATCH, noise: NOISE },
          rate: { ...supervised.rate, every: daeStepsPerEpoch } as Stage['rate'],
        },
        { ...supervised, name: 'finetune', pseudo: pseudo(ALPHA_PRETRAINED), start: 'first-layer' },
      ];
    }
  }
};
