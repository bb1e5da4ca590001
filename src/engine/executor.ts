// Owns the contract of a node: a machine, or a part of one, with an arena and workers. Local threads and remote machines fulfil it alike.
import type { Model } from '../models/model.js';
import type { GradientResult, GradientTask, OptimizerStep, PredictResult, PredictTask, UpdateResult } from './tasks.js';
import type { Logits, TensorResult, TensorStep } from './tensor-tasks.js';

/** Parameters and moments have the length of the current stage's parameter vector; labels and confidences one element an unlabelled image. */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  readonly pseudoLabels: Uint8Array;
  readonly confidences: Float32Array;
}

/** A gradient task before a lane is found for it. */
export type ShardStep = Omit<GradientTask, 'kind' | 'workspace'>;

/** How often workers were lost, and their work done again. */
export interface ExecutorHealth {
  readonly lostWorkers: number;
}

export interface Executor {
  readonly name: string;
  readonly workers: number;
  /** false where every result is copied into the arena, because the native library does not write in place. */
  readonly writesInPlace: boolean;
  health(): ExecutorHealth;
  /** Computes the gradient of each shard into its slot. Order of the results: that of the steps. */
  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]>;
  /** Sums the slots and updates the parameters. */
  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]>;
  /** Predicts each of the ranges [start, end). */
  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]>;
  /** The forward pass of a tensor-parallel step. */
  forward(step: TensorStep): Promise<Logits>;
  /** The backward pass and the update of the last forward pass. gradient: at the logits, [classes, rows]. */
  backward(gradient: Float32Array): Promise<TensorResult[]>;
  /** Copies of the state; `parameters` floats of each vector. */
  read(parameters: number): Promise<TrainingState>;
  /** Overwrites what is given, from its beginning; after a tensor-parallel step, all three vectors or none. */
  write(state: Partial<TrainingState>): void;
  close(): Promise<void>;
}
