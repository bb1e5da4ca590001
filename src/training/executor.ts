// The interface of an executor: whatever computes the steps of a run. Threads, a cluster of nodes and the ranks of an MPI job implement it.

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

/** Parameters and moments have the length of the current stage's parameter vector; labels and confidences one element an unlabelled image. */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** The exponential average of the parameters; undefined where a run keeps none. */
  readonly average?: Float32Array;
  readonly pseudoLabels: Uint16Array;
  readonly confidences: Float32Array;
}

/** A gradient task before a workspace is found for it. */
export type ShardStep = Omit<GradientTask, 'kind' | 'workspace'>;

/** Images [start, end), each of which is predicted by one task. */
export type Ranges = readonly (readonly [start: number, end: number])[];

/** How often workers were lost, and their work done again. */
export interface ExecutorHealth {
  readonly lostWorkers: number;
}

/** The gradients of a step, each in the buffer of its shard. To be used once, before the next step. */
export interface Gradients {
  /** In the order of the shard steps. */
  readonly results: readonly GradientResult[];
  /** Sums the gradients and updates the parameters. */
  update(optimizer: OptimizerStep): Promise<UpdateResult[]>;
}

/** The logits of a tensor-parallel step, summed over all tensor shards. To be used once, before the next step. */
export interface ForwardPass extends Logits {
  /** The backward pass and the update. gradient: at the logits, [classes, rows]. */
  backward(gradient: Float32Array): Promise<TensorResult[]>;
}

export interface Executor {
  readonly workers: number;
  health(): ExecutorHealth;
  /** Computes the gradients of a data-parallel step. steps: at least one, all of the same model. */
  gradients(steps: readonly ShardStep[]): Promise<Gradients>;
  /** Predicts each of the ranges. Order of the results: that of the ranges. */
  predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]>;
  /** Describes the images of each range. Order of the results: that of the ranges. */
  describe(description: Description, ranges: Ranges): Promise<DescribeResult[]>;
  /** The so many nearest neighbours of the rows of each range of blocks (graph/neighbours.ts). rows: have room for this many workers. */
  neighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]>;
  /** The forward pass of a tensor-parallel step. */
  forward(step: TensorStep): Promise<ForwardPass>;
  /** Copies of the state; `parameters` floats of each vector. */
  read(parameters: number): Promise<TrainingState>;
  /** Overwrites what is given, from its beginning; after a tensor-parallel step, all three vectors or none. */
  write(state: Partial<TrainingState>): void;
  close(): Promise<void>;
}
