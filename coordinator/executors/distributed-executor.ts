// Holds what the executors of a cluster and of an MPI job have in common. The state of the run is in the arena of this
// machine. Phases (gradients, update, forward and backward pass, predictions, reading) run one after another.

import type { Rows } from '../../src/graph/rows.js';
import type { Model } from '../../src/models/model.js';
import type {
  DescribeResult,
  Description,
  NeighboursResult,
  PredictResult,
  PredictTask,
} from '../../src/models/tasks.js';
import type { TensorStep } from '../../src/models/tensor-tasks.js';
import { VECTORS } from '../../src/protocol/tensor-codec.js';
import type {
  Executor,
  ExecutorHealth,
  ForwardPass,
  Gradients,
  Ranges,
  ShardStep,
  TrainingState,
} from '../../src/training/executor.js';
import { type ShardPass, TensorPasses } from '../../worker/tensor-steps.js';
import type { ThreadExecutor } from '../../worker/thread-executor.js';
import { closedError } from './failures.js';

/** Tensor parallelism over machines. Each machine has the state of its own tensor shards. */
export interface DistributedTensors {
  forward(step: TensorStep): Promise<ShardPass>;
  /** Resolves when the whole state is in the arena here. */
  settle(): Promise<void>;
  /**
   * Resolves when the whole state is in the arena here and no other machine uses its own, so that the state may be
   * changed.
   */
  release(): Promise<void>;
  /**
   * Notes that the state here has been overwritten, all of it or a part. Throws if a part is overwritten and the rest
   * is on other machines.
   */
  overwritten(isWhole: boolean): void;
}

export abstract class DistributedExecutor implements Executor {
  abstract readonly workers: number;
  protected abstract readonly tensors: DistributedTensors;
  /** The number of updates that have begun. */
  protected steps = 0;
  /** The current phase, and those that wait for it. */
  protected phase: Promise<unknown> = Promise.resolve();
  private readonly passes: TensorPasses;
  private closing: Promise<void> | undefined;

  constructor(
    protected readonly local: ThreadExecutor,
    private readonly others: 'nodes' | 'ranks',
  ) {
    this.passes = new TensorPasses(local.arena, local.workers, (step) => this.tensors.forward(step));
  }

  abstract health(): ExecutorHealth;
  protected abstract computeGradients(steps: readonly ShardStep[]): Promise<Gradients>;
  protected abstract predictRanges(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]>;
  protected abstract describeRanges(description: Description, ranges: Ranges): Promise<DescribeResult[]>;
  protected abstract findNeighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]>;
  /** Is told which parts of the state here have been overwritten. */
  protected abstract overwritten(state: Partial<TrainingState>): void;
  protected abstract end(): Promise<unknown>;

  async gradients(steps: readonly ShardStep[]): Promise<Gradients> {
    const { results, update } = await this.alone(async () => {
      await this.tensors.release();
      return this.computeGradients(steps);
    });
    return { results, update: (optimizer) => this.alone(() => this.counted(update, optimizer)) };
  }

  async forward(step: TensorStep): Promise<ForwardPass> {
    const { backward, ...logits } = await this.alone(() => this.computeForward(step));
    return { ...logits, backward: (gradient) => this.alone(() => this.counted(backward, gradient)) };
  }

  predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    return this.alone(async () => {
      await this.tensors.settle();
      return this.predictRanges(model, set, ranges);
    });
  }

  describe(description: Description, ranges: Ranges): Promise<DescribeResult[]> {
    return this.alone(async () => {
      await this.tensors.settle();
      return this.describeRanges(description, ranges);
    });
  }

  neighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]> {
    return this.alone(() => this.findNeighbours(rows, neighbours, blocks));
  }

  read(parameterCount: number): Promise<TrainingState> {
    return this.alone(async () => {
      await this.tensors.settle();
      return this.local.read(parameterCount);
    });
  }

  write(state: Partial<TrainingState>): void {
    const given = VECTORS.filter((vector) => state[vector]);
    if (given.length > 0) this.tensors.overwritten(given.length === VECTORS.length);
    this.local.write(state);
    this.overwritten(state);
  }

  /** Closes the executor. Current and later calls reject with E_INTERRUPTED. */
  close(): Promise<void> {
    this.closing ??= this.end().then(() => undefined);
    return this.closing;
  }

  protected computeForward(step: TensorStep): Promise<ForwardPass> {
    return this.passes.forward(step);
  }

  /** Does the work when the phases before it have ended. */
  protected alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.phase.then(() => {
      if (this.closing) throw closedError(this.others);
      return work();
    });
    this.phase = result.catch(() => undefined);
    return result;
  }

  private counted<A, T>(update: (by: A) => Promise<T>, by: A): Promise<T> {
    this.steps++;
    return update(by);
  }
}
