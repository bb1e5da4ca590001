// Owns the contract of a node: a machine, or a part of one, with an arena and workers. Local threads and remote machines fulfil it alike.
import type { TrainingState } from '../checkpoint.js';
import type { Model } from '../engine/model.js';
import type { Logits, SlicedStep, SliceResult } from './slices.js';
import type { GradientResult, GradientTask, OptimizerStep, PredictResult, PredictTask, UpdateResult } from './tasks.js';

/** A gradient task before a lane is found for it. */
export type ShardStep = Omit<GradientTask, 'kind' | 'lane'>;

/** How often workers were lost, and their work done again. */
export interface NodeHealth {
  readonly lostWorkers: number;
}

export interface Node {
  readonly name: string;
  readonly workers: number;
  /** false where every result is copied into the arena, because the native library does not write in place. */
  readonly writesInPlace: boolean;
  health(): NodeHealth;
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
  /** The forward pass of a step by hidden units. */
  forward(step: SlicedStep): Promise<Logits>;
  /** The backward pass and the update of the last forward pass. gradient: at the logits, [classes, rows]. */
  backward(gradient: Float32Array): Promise<SliceResult[]>;
  /** Copies of the state; `parameters` floats of each vector. */
  read(parameters: number): Promise<TrainingState>;
  /** Overwrites what is given, from its beginning; after a step by hidden units, all three vectors or none. */
  write(state: Partial<TrainingState>): void;
  close(): Promise<void>;
}
