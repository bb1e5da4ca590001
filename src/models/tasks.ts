// The tasks of a worker, and their results. A task names everything that it depends on besides the arena, so that every
// thread can do any task, and repeat it, with the same bits.
import type { ImageSize, StepAugmentation } from '../data/augmentation.js';
import type { OptimizerStep } from '../engine/optimizer.js';
import type { Neighbours } from '../graph/neighbours.js';
import type { Basis } from '../graph/principal-components.js';
import type { RowsShape } from '../graph/rows.js';
import type { Descriptor } from '../graph/settings.js';
import type { UnlabelledRows } from '../methods/method.js';
import type { Model } from './model.js';

/** The labelled rows of one step, for one shard. They exist no longer than the task. */
export interface LabelledRows {
  /** Bytes, `pixels` per row. */
  readonly images: Uint8Array;
  readonly labels: Uint16Array;
}

/** Writes one shard's gradient of L = mean labelled loss + factor * mean unlabelled loss to its gradient buffer. */
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
  /** The labelled rows of the whole step, over which the mean is taken. */
  readonly labelledBatch: number;
  readonly unlabelled: UnlabelledRows | undefined;
  /** How rows are augmented before they are trained on. If left out, they are not. */
  readonly augment?: StepAugmentation;
}

/** Who did a task, and when, on the clock of src/clock.ts. */
export interface Span {
  /** The number of the worker within its executor. */
  readonly worker: number;
  readonly began: number;
  readonly ended: number;
}

/** The common part of all results. An executor without workers of its own leaves it out. */
export interface Answer {
  readonly span?: Span;
}

export interface GradientResult extends Answer {
  readonly rows: number;
  /** The sum of the losses of the shard's labelled rows. */
  readonly labelledLoss: number;
  /** The sum over its unlabelled rows of each loss times the row's weight, from 0 to 1. */
  readonly unlabelledLoss: number;
  /** The unlabelled rows that weigh more than 0. */
  readonly counted: number;
  /** The method's statistics, summed over the unlabelled rows (methods/method.ts). */
  readonly statistics: readonly number[];
  readonly finite: boolean;
  readonly milliseconds: { readonly input: number; readonly forward: number; readonly backward: number };
}

/** Sums the gradient buffers and applies the optimizer to one slice of the parameters. */
export interface UpdateTask {
  readonly kind: 'update';
  /** The number of this update since the arena was made, from 1. Doing a task twice changes nothing. */
  readonly update: number;
  readonly slice: number;
  /** In floats; start is a multiple of UPDATE_CHUNK. */
  readonly start: number;
  readonly end: number;
  readonly shards: number;
  /** Whether the arena's total already holds the sum, so that no gradient buffer is read. */
  readonly isSummed?: boolean;
  readonly optimizer: OptimizerStep;
  /** Parameters from here on are statistics, whose gradients are subtracted. If left out, there are none. */
  readonly statistics?: number;
  /** The factor of the summed gradient, if it is clipped. */
  readonly scale?: number;
}

/**
 * Sums the gradient buffers of one slice into the arena's total, unless that is done, for the norm of the whole. Slices
 * are those of an update.
 */
export interface NormTask extends Omit<UpdateTask, 'kind' | 'update' | 'optimizer' | 'scale'> {
  readonly kind: 'norm';
}

export interface NormResult extends Answer {
  /** The sum of the squares of each chunk of the slice. */
  readonly squares: readonly number[];
  readonly milliseconds: number;
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
  /** Whether to return the second likeliest classes as well. */
  readonly withRunnersUp?: boolean;
}

/** The second likeliest class of each image, and its output. */
export interface RunnersUp {
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
}

export interface PredictResult extends Answer {
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
  /** The images whose stored pseudo-label changed. */
  readonly flips: number;
  readonly runnersUp?: RunnersUp;
  readonly milliseconds: number;
}

/** How the images of a set are described, apart from which images. */
export interface Description {
  readonly set: PredictTask['set'];
  readonly size: ImageSize;
  readonly descriptor: Descriptor;
  /** The network whose features they are. Descriptors that need no network leave it out. */
  readonly model?: Model;
  /** Only the images at multiples of this are described. */
  readonly every: number;
  /**
   * The principal components of each part of the descriptor, and the length that they are scaled to. If left out, the
   * descriptors are not projected.
   */
  readonly projection?: { readonly bases: readonly Basis[]; readonly length: number };
  /** Whether to return the network's probabilities of the classes as well. */
  readonly withProbabilities: boolean;
}

/** Describes a range of images for a graph. */
export interface DescribeTask extends Description {
  readonly kind: 'describe';
  readonly workspace: number;
  readonly start: number;
  readonly end: number;
}

export interface DescribeResult extends Answer {
  /** [images, values] */
  readonly values: Float32Array;
  /** [images, classes], if they were asked for. */
  readonly probabilities?: Float32Array;
  readonly milliseconds: number;
}

/** Finds the nearest neighbours of the rows of some blocks (graph/neighbours.ts). */
export interface NeighboursTask {
  readonly kind: 'neighbours';
  readonly workspace: number;
  readonly memory: WebAssembly.Memory;
  readonly shape: RowsShape;
  readonly neighbours: number;
  /** Blocks [start, end). */
  readonly start: number;
  readonly end: number;
}

export interface NeighboursResult extends Answer, Neighbours {
  readonly milliseconds: number;
}

export type Task = GradientTask | NormTask | UpdateTask | PredictTask | DescribeTask | NeighboursTask;
export type Result = GradientResult | NormResult | UpdateResult | PredictResult | DescribeResult | NeighboursResult;
