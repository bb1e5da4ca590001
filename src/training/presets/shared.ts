// The common part of the presets: what they are given, the report's networks, and the numbers of Adam.

import type { ImageSize } from '../../data/augmentation.js';
import { PseudolabelError } from '../../errors.js';
import { modelOf } from '../../models/dense/model.js';
import type { LayersModel } from '../../models/layers/model.js';
import type { Model } from '../../models/model.js';
import type { Objective } from '../../models/objective.js';
import type { Scenario } from '../scenario.js';
import type { Optimizer, Stage } from '../stage.js';

/** The two settings of how long the preset modern may take. */
export const EFFORTS = ['normal', 'high'] as const;
export type Effort = (typeof EFFORTS)[number];

/** What a preset is given and may not choose. */
export interface PresetInput {
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

/** Returns the stages of a scenario. effort: of the preset modern alone. Throws E_CONFIG. */
export type Preset = (scenario: Scenario, task: PresetInput, effort?: Effort) => readonly Stage[];

/**
 * Returns the user's network, or else a dense one, pixels-hidden-classes. It has no dropout, or the paper's rates: 0.2
 * visible, 0.5 hidden (Lee 2013, section "Experiments").
 */
export function classifier(
  task: PresetInput,
  dropout: boolean,
  objective: Exclude<Objective, 'reconstruction'>,
): Model {
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
export function autoencoder({ pixels, hidden: [wide], network }: PresetInput): Model {
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
