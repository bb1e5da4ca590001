// The interface of an executor, which computes the steps of a run. Threads, a cluster of nodes and the ranks of an MPI
// job implement it.

import type { OptimizerStep } from '../engine/optimizer.js';
import type { Rows } from '../graph/rows.js';
import type { Model } from '../models/model.js';
import type {
  DescribeResult,
  Description,
  GradientResult,
  GradientTask,
  NeighboursResult,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../models/tasks.js';
import type { Logits, TensorResult, TensorStep } from '../models/tensor-tasks.js';

/**
 * The state of a training. Parameters and moments have the length of the current stage's parameter vector.
 * Pseudo-labels and confidences have one element per unlabelled image.
 */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** The exponential average of the parameters; undefined if the run keeps none. */
  readonly average?: Float32Array;
  readonly pseudoLabels: Uint16Array;
  readonly confidences: Float32Array;
}

/** A gradient task that has no workspace yet. */
export type ShardStep = Omit<GradientTask, 'kind' | 'workspace'>;

/** Ranges [start, end) of images; one task predicts each range. */
export type Ranges = readonly (readonly [start: number, end: number])[];

/** How often workers were lost and their work was done again. */
export interface ExecutorHealth {
  readonly lostWorkers: number;
}

/** The gradients of a step, each in the buffer of its shard. They are used once, before the next step. */
export interface Gradients {
  /** The results in the order of the shard steps. */
  readonly results: readonly GradientResult[];
  /** Sums the gradients and updates the parameters. */
  update(optimizer: OptimizerStep): Promise<UpdateResult[]>;
}

/** The logits of a tensor-parallel step, summed over all tensor shards. They are used once, before the next step. */
export interface ForwardPass extends Logits {
  /** Runs the backward pass and the update. gradient: at the logits, [classes, rows]. */
  backward(gradient: Float32Array): Promise<TensorResult[]>;
}

export interface Executor {
  readonly workers: number;
  health(): ExecutorHealth;
  /** Computes the gradients of a data-parallel step. steps: at least one, all of the same model. */
  gradients(steps: readonly ShardStep[]): Promise<Gradients>;
  /** Predicts each of the ranges. The results are in the order of the ranges. */
  predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]>;
  /** Describes the images of each range. The results are in the order of the ranges. */
  describe(description: Description, ranges: Ranges): Promise<DescribeResult[]>;
  /**
   * Finds the nearest neighbours of the rows of each range of blocks (graph/neighbours.ts). neighbours: the number for
   * each row. rows: have room for this many workers.
   */
  neighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]>;
  /** Runs the forward pass of a tensor-parallel step. */
  forward(step: TensorStep): Promise<ForwardPass>;
  /** Returns copies of the state, with `parameterCount` floats of each vector. */
  read(parameterCount: number): Promise<TrainingState>;
  /**
   * Overwrites the given vectors from their beginning. After a tensor-parallel step, all three vectors are given or
   * none.
   */
  write(state: Partial<TrainingState>): void;
  close(): Promise<void>;
}
