// Owns the description of a stage of training: what a preset writes down and the training loop carries out.

import type { OptimizerStep } from '../engine/tasks.js';
import type { Model } from '../models/model.js';
import {
  type AlphaSchedule,
  alpha,
  learningRate,
  type MomentumSchedule,
  momentum,
  type RateSchedule,
} from './schedule.js';

/** dampened: m = p m + (1 - p) rate g (Lee 2013, section "Dropout"); sgd: no momentum at all. */
export type Optimizer =
  | { readonly kind: 'adam'; readonly beta1: number; readonly beta2: number; readonly epsilon: number }
  | { readonly kind: 'sgd' }
  | { readonly kind: 'dampened'; readonly momentum: MomentumSchedule };

/** When the pseudo-labels are predicted anew: once before the stage, at each weights update, or every so many steps. */
export type Refresh = 'once' | 'step' | number;

export const SHARES_RULES = ['auto', 'labelled', 'equal', 'estimate'] as const;

/** How the classes among fresh pseudo-labels are held to shares (balance.ts). */
export interface Balance {
  /** Of the running shares among predictions: 0 forgets all before, 0.99 remembers about a hundred steps. */
  readonly momentum: number;
  /** auto: the labelled set's, or where unlabelled images contradict them, an estimate from those; estimate: that in any case; or a share of each class. */
  readonly shares: (typeof SHARES_RULES)[number] | readonly number[];
}

export interface PseudoLabelling {
  readonly batch: number;
  readonly alpha: AlphaSchedule;
  readonly refresh: Refresh;
  /** Pseudo-labels of less confidence do not count. */
  readonly threshold: number;
  /** undefined: pseudo-labels are taken as predicted. */
  readonly balance: Balance | undefined;
}

export interface Denoising {
  readonly batch: number;
  /** Standard deviation of the Gaussian noise on the inputs, which are clipped to [0, 1] again. */
  readonly noise: number;
}

export interface Stage {
  readonly name: 'pretrain' | 'supervised' | 'finetune';
  readonly model: Model;
  readonly steps: number;
  /** 0: no labelled rows. */
  readonly labelledBatch: number;
  readonly pseudo: PseudoLabelling | undefined;
  readonly denoising: Denoising | undefined;
  readonly optimizer: Optimizer;
  readonly rate: RateSchedule;
  /** Where its parameters come from: drawn afresh, those of the stage before, or only that stage's first layer. */
  readonly start: 'fresh' | 'previous' | 'first-layer';
}

/** The weight of a step's pseudo-labels; 0 in a stage without them. */
export const alphaAt = ({ pseudo }: Stage, step: number): number => (pseudo ? alpha(pseudo.alpha, step) : 0);

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
