// The preset report: the report's hyper-parameters (annex of the report, whose comments name the cells). It differs in
// two ways. The report's shuffle buffer of 1024 images fed only the first two thousand unlabelled images; here all
// 60,000 are drawn. The report drew the noise once per image; here it is drawn anew for each use. alpha(t) is 0 up to
// and including T1 in both.

import type { Stage } from '../stage.js';
import { ADAM, autoencoder, classifier, type Preset } from './shared.js';

const BATCH = 32; // batchSize, batch_size_label
const UNLABELLED_BATCH = 256; // batch_size_PL

const NN_EPOCHS = 20; // "Baseline": fit(epochs=20)
const DROP_EPOCHS = 500; // "DropNN": fit(epochs=500)
const DAE_EPOCHS = 10; // "DAE": fit(epochs=10)
const AFTER_DAE_EPOCHS = 100; // "DropNN initialisé avec DAE": fit(epochs=100)
const PL_EPOCHS = 500; // "+PL": epochs = 500

const ADAM_RATE = { kind: 'constant', value: 0.001 } as const; // Keras's default
const DROP_RATE = { kind: 'decay', initial: 1.5, factor: 0.88, every: 10 } as const; // "DropNN": ExponentialDecay
const RAMP = { t1: 100, t2: 600 }; // train_step: T1, T2, in epochs
const ALPHA_FINAL = 3; // train_step: af; alpha(t) only reaches 2.39, after 500 epochs

export const report: Preset = (scenario, task) => {
  const stepsPerEpoch = Math.ceil(task.labelled / BATCH); // 4: three batches of 32 and one of 4
  // The report has sigmoid outputs under sparse categorical cross-entropy. Keras takes the sigmoid's input there, so
  // that it is a softmax in fact (peers, "quirks").
  const plain = classifier(task, false, 'softmax');
  const drop = classifier(task, true, 'softmax');
  const supervised: Stage = {
    name: 'supervised',
    model: drop,
    steps: DROP_EPOCHS * stepsPerEpoch,
    labelledBatch: BATCH,
    method: { name: 'supervised' },
    optimizer: { kind: 'sgd' },
    rate: DROP_RATE,
    start: 'fresh',
  };
  const alpha = {
    t1: RAMP.t1 * stepsPerEpoch,
    t2: RAMP.t2 * stepsPerEpoch,
    final: ALPHA_FINAL,
    every: stepsPerEpoch,
  };
  const finetune: Stage = {
    ...supervised,
    name: 'finetune',
    steps: PL_EPOCHS * stepsPerEpoch,
    method: { name: 'pseudo-label', batch: UNLABELLED_BATCH, alpha, refresh: 'once', threshold: 0 },
    optimizer: ADAM,
    rate: ADAM_RATE,
    start: 'previous',
  };
  // The network that starts from the autoencoder has hidden dropout but no input dropout (annex, summary of
  // "model_11").
  const afterDae = { ...drop, inputDropout: 0 };
  const daeStepsPerEpoch = Math.ceil(task.unlabelled / BATCH);
  switch (scenario) {
    case 'nn':
      return [{ ...supervised, model: plain, steps: NN_EPOCHS * stepsPerEpoch, optimizer: ADAM, rate: ADAM_RATE }];
    case 'drop':
      return [supervised];
    case 'pl':
      return [supervised, finetune];
    case 'dae':
      return [
        {
          ...supervised,
          name: 'pretrain',
          model: autoencoder(task),
          steps: DAE_EPOCHS * daeStepsPerEpoch,
          labelledBatch: 0,
          method: { name: 'denoising', batch: BATCH, noise: 0.5 }, // noise_proba
          optimizer: ADAM,
          rate: ADAM_RATE,
        },
        {
          ...supervised,
          model: afterDae,
          steps: AFTER_DAE_EPOCHS * stepsPerEpoch,
          optimizer: ADAM,
          rate: ADAM_RATE,
          start: 'first-layer',
        },
        { ...finetune, model: afterDae },
      ];
  }
};
