// What a tensor-parallel step asks of workers, and what they answer. A network is cut into tensor shards of its wide layers' units; all of them
// see the same rows, and what goes between them and the coordinator is partial sums up and their gradient down: no labels.

import type { OptimizerStep } from '../engine/optimizer.js';
import type { DenseModel } from './dense/model.js';
import type { Answer } from './tasks.js';

/** A step as the tensor shards see it. The coordinator draws the same rows from the same streams, and keeps the labels of all. */
export interface TensorStep {
  readonly model: DenseModel;
  readonly seed: number;
  readonly stage: number;
  readonly step: number;
  /** Parts of the unlabelled set, each of which draws its part of the batch, and parts that the hidden units are cut into. */
  readonly shards: number;
  /** Bytes, `pixels` a row. Row order of a step: these, then the unlabelled ones by shard. */
  readonly labelledImages: Uint8Array;
  /** Unlabelled rows of the whole step; 0: none. */
  readonly unlabelledBatch: number;
  /** Whether the coordinator wants to label the unlabelled rows by the parameters as they are now. */
  readonly labelsFresh: boolean;
  /** Standard deviation of the noise on the inputs, which the coordinator reconstructs without it; none where it is left out. */
  readonly noise?: number;
  readonly optimizer: OptimizerStep;
}

/** Tensor shards [first, end). */
export interface TensorShardRange {
  readonly first: number;
  readonly end: number;
}

/**
 * What tensor shards add to the logits, [classes, rows], summed in the tree over all tensor shards (collectives/tree.ts); tensor shard 0 adds the biases as well.
 * Valid until the next step. A network with a narrow middle has two exchanges more (dense/tensor-blocks.ts): `logits` are then at first what goes into
 * the middle, and last the gradient at what comes out of it, whose activationBound is that of the gradient at the units, data parallel.
 */
export interface Logits {
  readonly logits: Float32Array;
  /** Of the unlabelled rows, without dropout; empty where they are not wanted. */
  readonly clean: Float32Array;
  /** Not smaller than any activation, and than the sum of a unit's absolute weights to the classes: NaN or infinite where these are. */
  readonly activationBound: number;
  readonly weightBound: number;
}

/**
 * A step of tensor shards [first, end), which one worker computes: their passes, each when the arena holds what the one before led to, and
 * at last their updates. Done again, it goes on where the last worker stopped, and done twice it changes nothing.
 */
export interface TensorTask extends Omit<TensorStep, 'labelledImages'> {
  readonly kind: 'tensor-step';
  /** Number of this step since the arena was made, from 1. */
  readonly number: number;
  /** Number of the group of tensor shards, and of all groups: each has room of its own for the rows. */
  readonly group: number;
  readonly groups: number;
  readonly first: number;
  readonly end: number;
  /** Labelled rows, whose bytes are in the arena. */
  readonly labelledBatch: number;
  /** Milliseconds to wait after a pass for what it leads to: a thread that ends its task is slow to begin the next. */
  readonly patience: number;
}

export interface TensorResult extends Answer {
  /** false: something did not come in time. */
  readonly isUpdated: boolean;
  readonly milliseconds: {
    readonly input: number;
    readonly forward: number;
    readonly waiting: number;
    readonly backward: number;
  };
}
