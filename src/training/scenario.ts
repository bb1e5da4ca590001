// The common part of the presets: the names of the four scenarios, the report's networks, and the numbers of Adam.

import type { ImageSize } from '../data/augmentation.js';
import { PseudolabelError } from '../errors.js';
import type { MethodName } from '../methods/methods.js';
import { modelOf } from '../models/dense/model.js';
import type { LayersModel } from '../models/layers/model.js';
import type { Model } from '../models/model.js';
import type { Objective } from '../models/objective.js';
import type { Optimizer, Stage } from './stage.js';

/** The scenarios are the rows of the report's table. */
export const SCENARIOS = ['nn', 'drop', 'pl', 'dae'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const ROW_NAMES: Record<Scenario, string> = {
  nn: 'NN',
  drop: 'DropNN',
  pl: 'DropNN+PL',
  dae: 'DropNN+PL+DAE',
};

/** The names of runs of the preset best that have a method of their own. */
const METHOD_NAMES: Partial<Record<MethodName, string>> = {
  supervised: 'Supervised',
  'pseudo-label': 'Pseudo-labels',
  fixmatch: 'FixMatch',
  freematch: 'FreeMatch',
  'mean-teacher': 'Mean teacher',
  'label-propagation': 'Label propagation',
};

/** The names of runs of the preset modern. */
const MODERN_NAMES: Record<Scenario, string> = {
  nn: 'Supervised',
  drop: 'Supervised, images changed',
  pl: 'Label propagation, modern',
  dae: '',
};

/** Returns the name of a run in tables. */
export const rowName = ({
  scenario,
  method,
  preset,
}: {
  readonly scenario: Scenario;
  readonly method?: MethodName | undefined;
  readonly preset?: string | undefined;
}): string =>
  preset === 'modern'
    ? MODERN_NAMES[scenario]
    : method === undefined
      ? ROW_NAMES[scenario]
      : `${METHOD_NAMES[method] ?? method}${scenario === 'dae' ? ' + DAE' : ''}`;

/** The labelled images of each class in the published results. */
const PUBLISHED_LABELS = 10;

/** The published accuracy on the test set, in per cent: Lee 2013, table 1 (100 labels), and the report, section IV. */
export const PUBLISHED: Record<Scenario, { readonly paper: number; readonly report: number }> = {
  nn: { paper: 74.19, report: 70.03 },
  drop: { paper: 78.11, report: 71.2 },
  pl: { paper: 83.85, report: 72.28 },
  dae: { paper: 89.51, report: 76.95 },
};

/** Returns the published figures of a row if a run can be compared with them: on MNIST, with as many labels. */
export function publishedFor(
  scenario: Scenario,
  options: {
    readonly data?: unknown;
    readonly labelsPerClass?: unknown;
    readonly method?: unknown;
    readonly preset?: unknown;
  },
): { readonly paper: number; readonly report: number } | undefined {
  const { data, labelsPerClass = PUBLISHED_LABELS, method, preset } = options;
  return data === undefined && method === undefined && preset !== 'modern' && labelsPerClass === PUBLISHED_LABELS
    ? PUBLISHED[scenario]
    : undefined;
}

/** What a preset is given and may not choose. */
export interface Task {
  readonly pixels: number;
  readonly classes: number;
  /** The units of each hidden layer. The report and the paper have one layer of 5000. */
  readonly hidden: readonly number[];
  /** The network to train instead of a dense one. */
  readonly network?: LayersModel | undefined;
  /** If left out, the stages do not augment images unless told to. */
  readonly images?: ImageSize | undefined;
  /** The number of labelled images. */
  readonly labelled: number;
  readonly unlabelled: number;
}

export type Preset = (scenario: Scenario, task: Task) => readonly Stage[];

/**
 * Returns the user's network, or else a dense one, pixels-hidden-classes. It has no dropout, or the paper's rates: 0.2
 * visible, 0.5 hidden (Lee 2013, section "Experiments").
 */
export function classifier(task: Task, dropout: boolean, objective: Exclude<Objective, 'reconstruction'>): Model {
  const { pixels, hidden, classes, network } = task;
  if (network) return network;
  return modelOf([pixels, ...hidden, classes], {
    inputDropout: dropout ? 0.2 : 0,
    dropout: hidden.map(() => (dropout ? 0.5 : 0)),
    objective,
  });
}

/**
 * Returns the report's denoising autoencoder, with dropout 0.5 on the wide layers (annex, "DAE avec Dropout"). Throws
 * E_CONFIG for a network of layers.
 */
export function autoencoder({ pixels, hidden: [wide], network }: Task): Model {
  if (network || wide === undefined) {
    const fix = 'train the scenario pl, or a dense network';
    throw new PseudolabelError('E_CONFIG', 'scenario: dae begins with an autoencoder, which is dense', fix);
  }
  return modelOf([pixels, wide, 128, 64, 32, 64, 128, wide, pixels], {
    inputDropout: 0,
    dropout: [0.5, 0, 0, 0, 0, 0, 0.5],
    objective: 'reconstruction',
  });
}

/** Keras's defaults, which the report uses (keras.optimizers.Adam). */
export const ADAM: Optimizer = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
