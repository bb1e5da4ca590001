// The preset modern: labels spread over a graph of all images; small networks learn from them and describe the images
// for the next graph. The rounds were chosen on validation images, most other numbers by an earlier study
// (docs/methods.md).

import { AUGMENTATIONS } from '../../data/augmentation.js';
import { PseudolabelError } from '../../errors.js';
import type { Descriptor, GraphSettings } from '../../graph/settings.js';
import { ROUNDS, type Stage } from '../stage.js';
import { ADAM, classifier, type Effort, type Preset } from './shared.js';

/** The number of networks side by side, and the steps of each round. */
export const MODERN: Record<Effort, { readonly members: number; readonly rounds: readonly number[] }> = {
  normal: { members: 2, rounds: [800, 800, 800, 800] },
  high: { members: 4, rounds: [800, 800, 800, 800, 1200] },
};

const SUPERVISED_STEPS = 800;
const LABELLED_BATCH = 16;
const UNLABELLED_BATCH = 112;
const RATE = { layers: 3e-3, dense: 1e-3 };
const WARMUP = 20;
const AVERAGE = 0.99;

const HOG: Descriptor = { kind: 'hog', components: 64 };
const SPREAD = { alpha: 0.99, iterations: 60 };
/** The graph of the first round, when there is no trained network. */
const FIRST: GraphSettings = { descriptors: [HOG], neighbours: 5, spread: SPREAD };
/**
 * The graph of later rounds. It also uses the networks' features. The networks' predictions are smoothed and mixed in
 * with a weight of one half.
 */
export const LATER: GraphSettings = {
  ...FIRST,
  descriptors: [
    { kind: 'features', components: 32 },
    { ...HOG, weight: 1.4 },
  ],
  mix: 0.5,
  smooth: { alpha: 0.8, iterations: 20 },
};

/**
 * Returns the stages of a scenario. nn: labels alone. drop: labels alone, with augmented images. pl: all images. Throws
 * E_CONFIG for dae.
 */
export const modern: Preset = (scenario, task, effort = 'normal') => {
  if (scenario === 'dae') {
    const fix = 'leave --scenario out, or take another preset';
    throw new PseudolabelError(
      'E_CONFIG',
      'scenario: dae begins with an autoencoder, which the preset modern has not',
      fix,
    );
  }
  const { images } = task;
  const isGrey = images?.channels === 1;
  const changed = scenario === 'nn' || !images ? undefined : isGrey ? AUGMENTATIONS.mild : AUGMENTATIONS.colour;
  const supervised: Stage = {
    name: 'supervised',
    model: classifier(task, false, 'softmax'),
    steps: SUPERVISED_STEPS,
    labelledBatch: LABELLED_BATCH + UNLABELLED_BATCH,
    method: { name: 'supervised' },
    ...(changed && { augment: { labelled: changed, unlabelled: changed } }),
    optimizer: ADAM,
    average: AVERAGE,
    rate: { kind: 'cosine', initial: task.network ? RATE.layers : RATE.dense, final: 0, warmup: WARMUP },
    start: 'fresh',
  };
  if (scenario !== 'pl') return [supervised];
  return MODERN[effort].rounds.map((steps, r) => ({
    ...supervised,
    name: ROUNDS[r]!,
    steps,
    labelledBatch: LABELLED_BATCH,
    method: {
      name: 'label-propagation',
      batch: UNLABELLED_BATCH,
      refresh: 'once',
      ...(r === 0 ? { graph: FIRST, balance: 'labelled' } : { graph: LATER, balance: 'predicted' }),
    },
    start: r === 0 ? 'fresh' : 'previous',
  }));
};
