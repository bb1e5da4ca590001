// Makes the coordinator's own threads one of the machines of a cluster. Their gradients and tensor shards are in the
// coordinator's arena, and a lost thread is replaced.

import type { Model } from '../../../src/models/model.js';
import type { PredictResult, PredictTask } from '../../../src/models/tasks.js';
import type { Logits, TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';
import type { Ranges, ShardStep } from '../../../src/training/executor.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import {
  type Contribution,
  type GraphMachine,
  type Machine,
  type MachinePass,
  rowsOfResults,
  Speed,
  type TensorShardOwner,
  workOf,
} from './machine.js';
import type { DoneStep } from './replay-log.js';

export class LocalMachine implements Machine {
  readonly workers: number;
  readonly tensorShards: TensorShardOwner;
  readonly graph: GraphMachine;
  private readonly measured = new Speed();
  /** The number of shards, or of tensor shards, of its last step. */
  private shards = 0;

  constructor(private readonly threads: ThreadExecutor) {
    this.workers = threads.workers;
    this.graph = threads;
    const began = (shards: number) => {
      this.shards = shards;
    };
    this.tensorShards = new LocalTensorShards(threads, this.measured, began);
  }

  get speed(): number | undefined {
    return this.measured.rowsPerMillisecond;
  }

  get status(): NonNullable<ClusterStatus['coordinator']> {
    const { workers, shards, speed } = this;
    const { lostWorkers } = this.threads.health();
    return { workers, shards, lostWorkers, rowsPerSecond: speed === undefined ? null : speed * 1000 };
  }

  skippedStep(): void {
    this.shards = 0;
    this.measured.skippedStep();
  }

  async gradients(steps: readonly ShardStep[]): Promise<Contribution> {
    this.shards = steps.length;
    const began = performance.now();
    const results = await this.threads.computeGradients(steps);
    this.measured.add(rowsOfResults(results), performance.now() - began);
    return { results, subtrees: [], arrived: async () => undefined };
  }

  predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    return this.threads.predict(model, set, ranges);
  }
}

class LocalTensorShards implements TensorShardOwner {
  readonly isHere = true;
  readonly isLeaving = false;

  /** began: is told the number of tensor shards with which a step begins. */
  constructor(
    private readonly threads: ThreadExecutor,
    private readonly speed: Speed,
    private readonly began: (shards: number) => void,
  ) {}

  async take(): Promise<void> {}

  async replay(steps: readonly DoneStep[], range: TensorShardRange): Promise<void> {
    for (const { step, given } of steps) await this.threads.tensor.replay(step, given, range);
  }

  async forward(step: TensorStep, range: TensorShardRange): Promise<MachinePass> {
    this.began(range.end - range.first);
    await othersAreAsked();
    return this.pass(
      await this.threads.tensor.forward(step, range),
      workOf(step, range, this.threads.arena.shape.pixels),
    );
  }

  async give(): Promise<void> {}

  release(): void {}

  lose(): void {}

  private pass(sums: readonly Logits[], work: number): MachinePass {
    const { tensor } = this.threads;
    return {
      sums,
      onward: async (values) => {
        await othersAreAsked();
        return this.pass(await tensor.onward(values), work);
      },
      backward: async (values) => {
        await othersAreAsked();
        const results = await tensor.backward(values);
        const times = results.map(({ milliseconds: { input, forward, backward } }) => input + forward + backward);
        this.speed.add(work, Math.max(...times));
        return results;
      },
    };
  }
}

/**
 * Resolves when the sockets have been given what was sent just now. If a machine has no more cores than workers, a
 * worker that wakes up first takes the core of the main thread, and the other machines would wait for milliseconds.
 */
const othersAreAsked = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
