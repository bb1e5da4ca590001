// What a worker can be asked to do, and what it answers. A task names everything that it depends on besides the arena, so every thread
// can do any task, again if need be, with the same bits.
import type { ImageSize, StepAugmentation } from '../data/augmentation.js';
import type { OptimizerStep } from '../engine/optimizer.js';
import type { Neighbours } from '../graph/neighbours.js';
import type { Basis } from '../graph/principal-components.js';
import type { RowsShape } from '../graph/rows.js';
import type { Descriptor } from '../graph/settings.js';
import type { UnlabelledRows } from '../methods/method.js';
import type { Model } from './model.js';

/** Labelled rows of one step, for one shard. They live no longer than the task. */
export interface LabelledRows {
  /** Bytes, `pixels` a row. */
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
  /** Labelled rows of the whole step, over which their mean is taken. */
  readonly labelledBatch: number;
  readonly unlabelled: UnlabelledRows | undefined;
  /** How rows are changed before they are trained on; left out: not at all. */
  readonly augment?: StepAugmentation;
}

/** Who did a task, and when, on the clock of src/clock.ts. */
export interface Span {
  /** Names the worker among those of its executor. */
  readonly worker: number;
  readonly began: number;
  readonly ended: number;
}

/** What every answer carries. An executor without workers of its own leaves it out. */
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

/** Sums the gradient buffers and applies the optimizer to one slice of the parameters. */
export interface UpdateTask {
  readonly kind: 'update';
  /** Number of this update since the arena was made, from 1: doing a task twice changes nothing. */
  readonly update: number;
  readonly slice: number;
  /** Floats; start is a multiple of UPDATE_CHUNK. */
  readonly start: number;
  readonly end: number;
  readonly shards: number;
  /** The arena's total holds the sum already: no gradient buffer is read. */
  readonly isSummed?: boolean;
  readonly optimizer: OptimizerStep;
  /** Parameters from here on are statistics: their gradients are subtracted. Left out: none are. */
  readonly statistics?: number;
  /** What the summed gradient is multiplied by, where it is clipped. */
  readonly scale?: number;
}

/** Sums the gradient buffers of one slice into the arena's total, unless they are summed, for the norm of the whole. Slices as those of an update. */
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
  /** Also the second likeliest classes. */
  readonly withRunnersUp?: boolean;
}

/** Of each image, the second likeliest class and its output. */
export interface RunnersUp {
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
}

export interface PredictResult extends Answer {
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
  /** Images whose stored pseudo-label was another. */
  readonly flips: number;
  readonly runnersUp?: RunnersUp;
  readonly milliseconds: number;
}

/** What is asked of the images of a set, apart from which. */
export interface Description {
  readonly set: PredictTask['set'];
  readonly size: ImageSize;
  readonly descriptor: Descriptor;
  /** Whose features they are; left out for descriptors that need no network. */
  readonly model?: Model;
  /** Of the images, those at multiples of it. */
  readonly every: number;
  /** Principal components of each part of the descriptor, which are scaled to `length`; left out: the descriptors as they are. */
  readonly projection?: { readonly bases: readonly Basis[]; readonly length: number };
  /** Also the network's probabilities of the classes. */
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
  /** [images, classes], where they were asked for. */
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
