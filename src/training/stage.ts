// A stage of training as data: a preset writes it down, the training loop carries it out.

import type { OptimizerStep } from '../engine/optimizer.js';
import { type MethodSettings, methodOf } from '../methods/methods.js';
import type { PseudoLabelSettings } from '../methods/pseudo-label.js';
import type { Model } from '../models/model.js';
import { learningRate, type MomentumSchedule, momentum, type RateSchedule } from './schedule.js';

/** dampened: m = p m + (1 - p) rate g (Lee 2013, section "Dropout"); sgd: no momentum at all. */
export type Optimizer =
  | { readonly kind: 'adam'; readonly beta1: number; readonly beta2: number; readonly epsilon: number }
  | { readonly kind: 'sgd' }
  | { readonly kind: 'dampened'; readonly momentum: MomentumSchedule };

export interface Stage {
  readonly name: 'pretrain' | 'supervised' | 'finetune';
  readonly model: Model;
  readonly steps: number;
  /** 0: no labelled rows. */
  readonly labelledBatch: number;
  /** How unlabelled images teach. */
  readonly method: MethodSettings;
  readonly optimizer: Optimizer;
  readonly rate: RateSchedule;
  /** Where its parameters come from: drawn afresh, those of the stage before, or only that stage's first layer. */
  readonly start: 'fresh' | 'previous' | 'first-layer';
}

/** The weight of a step's unlabelled loss. */
export const alphaAt = ({ method }: Stage, step: number): number => methodOf(method).alpha(method, step);

/** The settings of a stage with pseudo-labels; undefined for others. */
export const pseudoLabelsOf = ({ method }: Stage): PseudoLabelSettings | undefined =>
  method.name === 'pseudo-label' ? method : undefined;

/** The numbers of the update that ends step `step` (from 0). */
export function optimizerStep(stage: Stage, step: number): OptimizerStep {
  const { optimizer } = stage;
  const rate = learningRate(stage.rate, step, stage.steps);
  switch (optimizer.kind) {
    case 'adam': {
      const { beta1, beta2, epsilon } = optimizer;
      return { kind: 'adam', rate, beta1, beta2, epsilon, t: step + 1 };
    }
    case 'sgd':
      return { kind: 'momentum', a: 0, b: 1, c: rate };
    case 'dampened': {
      const p = momentum(optimizer.momentum, step);
      return { kind: 'momentum', a: p, b: (1 - p) * rate, c: 1 };
    }
  }
}
