// Ours: the same network and the paper's method, tuned on validation images. docs/decisions.md has the search, with what did not help.
import type { Stage } from '../stage.js';
import { ADAM, autoencoder, classifier, type Preset } from './scenario.js';

const LABELLED_BATCH = 32;
const UNLABELLED_BATCH = 256;

export const best: Preset = (scenario, task) => {
  const stepsPerEpoch = Math.ceil(task.labelled / LABELLED_BATCH);
  const supervised: Stage = {
    name: 'supervised',
    model: classifier(task, scenario !== 'nn', 'softmax'),
    steps: 400,
    stepsPerEpoch,
    labelledBatch: LABELLED_BATCH,
    pseudo: undefined,
    denoising: undefined,
    optimizer: ADAM,
    rate: { kind: 'constant', value: 3e-4 },
    start: 'fresh',
  };
  const finetune: Stage = {
    ...supervised,
    name: 'finetune',
    steps: 2000,
    pseudo: { batch: UNLABELLED_BATCH, alpha: { t1: 100, t2: 400, final: 3 }, refresh: 'step', threshold: 0.9 },
    rate: { kind: 'constant', value: 1e-3 },
  };
  switch (scenario) {
    case 'nn':
    case 'drop':
      return [supervised];
    case 'pl':
      return [finetune];
    case 'dae':
      return [
        {
          ...supervised,
          name: 'pretrain',
          model: autoencoder(task),
          steps: 1500,
          stepsPerEpoch: Math.ceil(task.unlabelled / UNLABELLED_BATCH),
          labelledBatch: 0,
          denoising: { batch: UNLABELLED_BATCH, noise: 0.5 },
          rate: { kind: 'constant', value: 1e-3 },
        },
        { ...finetune, start: 'first-layer' },
      ];
  }
};
