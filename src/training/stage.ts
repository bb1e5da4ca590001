// A stage of training as data: a preset writes it down, the training loop carries it out.

import type { Augmentation, View } from '../data/augmentation.js';
import type { OptimizerStep } from '../engine/optimizer.js';
import { type MethodSettings, methodOf } from '../methods/methods.js';
import type { PseudoLabelSettings } from '../methods/pseudo-label.js';
import type { Model } from '../models/model.js';
import { learningRate, type MomentumSchedule, momentum, type RateSchedule } from './schedule.js';

/** Of each step, rate * weightDecay of every parameter is lost, apart from the gradient (Loshchilov & Hutter 2019). Left out: 0. */
interface WeightDecay {
  readonly weightDecay?: number | undefined;
}

/**
 * adam: with weight decay, AdamW. sgd: m = momentum m + g, without it plain (PyTorch's form, Nesterov's where asked for).
 * dampened: m = p m + (1 - p) rate g (Lee 2013, section "Dropout").
 */
export type Optimizer = WeightDecay &
  (
    | { readonly kind: 'adam'; readonly beta1: number; readonly beta2: number; readonly epsilon: number }
    | { readonly kind: 'sgd'; readonly momentum?: number | undefined; readonly nesterov?: boolean | undefined }
    | { readonly kind: 'dampened'; readonly momentum: MomentumSchedule }
  );

/** weak: of the unlabelled rows that a step predicts by itself; left out, they are predicted as they are. */
export type StageAugmentation = Readonly<Partial<Record<View, Augmentation | undefined>>>;

/** The rounds of labelling all images and training on what came of it. */
export const ROUNDS = ['round-1', 'round-2', 'round-3', 'round-4', 'round-5', 'round-6', 'round-7', 'round-8'] as const;

/** What stages can be called: reports show those of the same kind alike. */
export const STAGE_NAMES = ['pretrain', 'supervised', 'finetune', ...ROUNDS] as const;
export type StageName = (typeof STAGE_NAMES)[number];

/** Those with pseudo-labels. */
export const PSEUDO_LABELLED = ['finetune', ...ROUNDS] as const satisfies readonly StageName[];

export interface Stage {
  readonly name: StageName;
  readonly model: Model;
  readonly steps: number;
  /** 0: no labelled rows. */
  readonly labelledBatch: number;
  /** How unlabelled images teach. */
  readonly method: MethodSettings;
  /** How rows are changed before they are trained on, or predicted by a step (data/augment.ts); other predictions see them as they are. */
  readonly augment?: StageAugmentation | undefined;
  readonly optimizer: Optimizer;
  /**
   * Decay of an exponential average of the weights (Polyak & Juditsky 1992; Tarvainen & Valpola 2017): what the stage ends with. Left out: the
   * weights themselves.
   */
  readonly average?: number | undefined;
  readonly rate: RateSchedule;
  /**
   * The longest that a step's gradient may be, by its Euclidean norm over all parameters and all rows: a longer one is shortened to it (Pascanu et
   * al. 2013). Left out: any.
   */
  readonly clip?: number | undefined;
  /** Where its parameters come from: drawn afresh, those of the stage before, or only that stage's first layer. */
  readonly start: 'fresh' | 'previous' | 'first-layer';
}

/** The weight of a step's unlabelled loss. */
export const alphaAt = ({ method }: Stage, step: number): number => methodOf(method).alpha(method, step);

/** Of the average of the weights after step `step`: less at first, so that it forgets where they began. */
const averageDecay = (decay: number, step: number): number => Math.min(decay, (2 + step) / (11 + step));

/** The settings of a stage with pseudo-labels by the method of that name; undefined for others. */
export const pseudoLabelsOf = ({ method }: Stage): PseudoLabelSettings | undefined =>
  method.name === 'pseudo-label' ? method : undefined;

/** The numbers of the update that ends step `step` (from 0). */
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
