// A stage of training as data: a preset defines it, and the training loop runs it.

import type { Augmentation, View } from '../data/augmentation.js';
import type { OptimizerStep } from '../engine/optimizer.js';
import { averageDecay } from '../engine/weight-average.js';
import { type MethodSettings, methodOf } from '../methods/methods.js';
import type { Model } from '../models/model.js';
import { learningRate, type MomentumSchedule, momentum, type RateSchedule } from './schedule.js';

/**
 * Each step subtracts rate * weightDecay of every parameter, apart from the gradient (Loshchilov & Hutter 2019).
 * Defaults to 0.
 */
interface WeightDecay {
  readonly weightDecay?: number | undefined;
}

/**
 * adam: with weight decay, it is AdamW. sgd: m = momentum m + g in PyTorch's form, or Nesterov's if `nesterov` is set;
 * without momentum, plain gradient descent. dampened: m = p m + (1 - p) rate g (Lee 2013, section "Dropout").
 */
export type Optimizer = WeightDecay &
  (
    | { readonly kind: 'adam'; readonly beta1: number; readonly beta2: number; readonly epsilon: number }
    | { readonly kind: 'sgd'; readonly momentum?: number | undefined; readonly nesterov?: boolean | undefined }
    | { readonly kind: 'dampened'; readonly momentum: MomentumSchedule }
  );

/**
 * The augmentation of each view. weak: of the unlabelled rows that a step predicts itself; if left out, they are
 * predicted as they are.
 */
export type StageAugmentation = Readonly<Partial<Record<View, Augmentation | undefined>>>;

/** The rounds of label propagation: each labels all images and trains on the result. */
export const ROUNDS = ['round-1', 'round-2', 'round-3', 'round-4', 'round-5', 'round-6', 'round-7', 'round-8'] as const;

/** The names that a stage can have. Reports show stages of the same name alike. */
export const STAGE_NAMES = ['pretrain', 'supervised', 'finetune', ...ROUNDS] as const;
export type StageName = (typeof STAGE_NAMES)[number];

/** The names of the stages with pseudo-labels. */
export const PSEUDO_LABELLED = ['finetune', ...ROUNDS] as const satisfies readonly StageName[];

export interface Stage {
  readonly name: StageName;
  readonly model: Model;
  readonly steps: number;
  /** 0: no labelled rows. */
  readonly labelledBatch: number;
  /** How unlabelled images teach. */
  readonly method: MethodSettings;
  /**
   * How rows are augmented before a step trains on them or predicts them (data/augment.ts). Other predictions see the
   * images as they are.
   */
  readonly augment?: StageAugmentation | undefined;
  readonly optimizer: Optimizer;
  /**
   * The decay of an exponential average of the weights (Polyak & Juditsky 1992; Tarvainen & Valpola 2017), which the
   * stage ends with. If left out, the stage ends with the weights themselves.
   */
  readonly average?: number | undefined;
  readonly rate: RateSchedule;
  /**
   * The largest Euclidean norm of a step's gradient, over all parameters and all rows. A larger gradient is scaled down
   * to it (Pascanu et al. 2013). If left out, there is no limit.
   */
  readonly clip?: number | undefined;
  /**
   * Where the stage's parameters come from: drawn anew, those of the stage before, or only that stage's first layer.
   */
  readonly start: 'fresh' | 'previous' | 'first-layer';
}

/** Returns the weight of a step's unlabelled loss. */
export const alphaAt = ({ method }: Stage, step: number): number => methodOf(method).alpha(method, step);

/** Returns the numbers of the update that ends step `step` (from 0). */
export function optimizerStep(stage: Stage, step: number): OptimizerStep {
  const { average } = stage;
  const update = updateStep(stage, step);
  return average === undefined ? update : { ...update, average: averageDecay(average, step) };
}

function updateStep(stage: Stage, step: number): OptimizerStep {
  const { optimizer, clip } = stage;
  const rate = learningRate(stage.rate, step, stage.steps);
  const { weightDecay } = optimizer;
  const kept = {
    ...(weightDecay !== undefined && { keep: Math.max(0, 1 - rate * weightDecay) }),
    ...(clip !== undefined && { clip }),
  };
  switch (optimizer.kind) {
    case 'adam': {
      const { beta1, beta2, epsilon } = optimizer;
      return { kind: 'adam', rate, beta1, beta2, epsilon, t: step + 1, ...kept };
    }
    case 'sgd': {
      const { momentum: a = 0, nesterov = false } = optimizer;
      return { kind: 'momentum', a, b: 1, c: rate, ...(nesterov ? { nesterov } : {}), ...kept };
    }
    case 'dampened': {
      const p = momentum(optimizer.momentum, step);
      return { kind: 'momentum', a: p, b: (1 - p) * rate, c: 1, ...kept };
    }
  }
}
