// Owns what a worker can be asked to do, and what it answers. A task names everything that it depends on besides the arena, so every thread
// can do any task, again if need be, with the same bits.
import type { Model } from '../models/model.js';

/** Of which probabilities the masses of the classes are sums: the model's own, or those after the shift. */
export type Masses = 'plain' | 'shifted';

/** Labelled rows of one step, for one shard. They live no longer than the task. */
export interface LabelledRows {
  /** Bytes, `pixels` a row. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** How a step uses the unlabelled images. */
export interface UnlabelledRows {
  /** Rows of the whole step; each shard takes its part from its own images. */
  readonly batch: number;
  /** The factor of the mean over the batch: alpha(t) for pseudo-labels, 1 for a reconstruction. */
  readonly factor: number;
  /** The method that makes targets of them (methods/methods.ts), and the numbers that those depend on, such as a threshold. */
  readonly method: string;
  readonly parameters: Readonly<Record<string, number>>;
  /** Predictions as last stored in the arena, or by the parameters as they are now ("at each weights update", Lee 2013); or none. */
  readonly pseudoLabels: 'none' | 'stored' | 'fresh';
  /** Added to the logits before a fresh pseudo-label is taken from them: one a class (balance.ts). undefined: none. */
  readonly logitShift: Float32Array | undefined;
  /** Where there is a shift: what is summed for each class, beside that. */
  readonly masses: Masses;
  /** Standard deviation of the noise on the inputs. */
  readonly noise: number;
}

/** Writes one shard's gradient of L = mean labelled loss + factor * mean unlabelled loss to its slot. */
export interface GradientTask {
  readonly kind: 'gradient';
  readonly workspace: number;
  readonly model: Model;
  readonly seed: number;
  readonly stage: number;
  readonly step: number;
  readonly shard: number;
  readonly shards: number;
  readonly labelled: LabelledRows | undefined;
  /** Labelled rows of the whole step, over which their mean is taken. */
  readonly labelledBatch: number;
  readonly unlabelled: UnlabelledRows | undefined;
}

/** Who did a task, and when, on the clock of src/clock.ts. */
export interface Span {
  /** Names the worker among those of its node. */
  readonly worker: number;
  readonly began: number;
  readonly ended: number;
}

/** What every answer carries. A node without workers of its own leaves it out. */
export interface Answer {
  readonly span?: Span;
}

export interface GradientResult extends Answer {
  readonly rows: number;
  /** Sums over the shard's rows of losses that are not weighted. */
  readonly labelledLoss: number;
  readonly unlabelledLoss: number;
  /** Unlabelled rows that weigh more than 0. */
  readonly counted: number;
  /** Sums over the unlabelled rows, as the method wants them (methods/method.ts). */
  readonly statistics: readonly number[];
  readonly finite: boolean;
  readonly milliseconds: { readonly input: number; readonly forward: number; readonly backward: number };
}

/** One optimizer step's numbers; the schedule has been applied. */
export type OptimizerStep =
  /** m = a m + b g; p = p - c m. */
  | { readonly kind: 'momentum'; readonly a: number; readonly b: number; readonly c: number }
  /** t: updates made so far, and this one. */
  | {
      readonly kind: 'adam';
      readonly rate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly t: number;
    };

/** Sums the slots and applies the optimizer to one slice of the parameters. */
export interface UpdateTask {
  readonly kind: 'update';
  /** Number of this update since the arena was made, from 1: doing a task twice changes nothing. */
  readonly update: number;
  readonly slice: number;
  /** Floats; start is a multiple of BLOCK. */
  readonly start: number;
  readonly end: number;
  readonly shards: number;
  /** The arena's total holds the sum already: no slot is read. */
  readonly isSummed?: boolean;
  readonly optimizer: OptimizerStep;
}

export interface UpdateResult extends Answer {
  readonly milliseconds: number;
}

/** Predicts the classes of a range of images. Those of unlabelled images become their stored pseudo-labels. */
export interface PredictTask {
  readonly kind: 'predict';
  readonly workspace: number;
  readonly model: Model;
  readonly set: 'unlabelled' | 'evaluation';
  readonly start: number;
  readonly end: number;
}

export interface PredictResult extends Answer {
  readonly classes: Uint8Array;
  readonly confidences: Float32Array;
  /** Images whose stored pseudo-label was another. */
  readonly flips: number;
  readonly milliseconds: number;
}

export type Task = GradientTask | UpdateTask | PredictTask;
export type Result = GradientResult | UpdateResult | PredictResult;
