// Owns the coordinator's own threads as a member: its sums need not travel, since its slots are those that are summed.

import type { ShardStep } from '../../../src/engine/executor.js';
import type { PredictResult, PredictTask } from '../../../src/engine/tasks.js';
import type { Model } from '../../../src/models/model.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { type Contribution, type Member, rowsOfResults } from './member.js';
import { Speed } from './speed.js';
import { LocalTensorShards } from './tensor-shard-owner.js';

export class LocalMember implements Member {
  readonly name: string;
  readonly workers: number;
  readonly slices: LocalTensorShards;
  private readonly measured = new Speed();
  /** Shards of its last data-parallel step. */
  private rows = 0;

  constructor(private readonly node: ThreadExecutor) {
    this.name = node.name;
    this.workers = node.workers;
    this.slices = new LocalTensorShards(node, this.measured);
  }

  get speed(): number | undefined {
    return this.measured.rowsPerMillisecond;
  }

  /** Shards, or slices, of its last step. */
  get shards(): number {
    return this.rows + this.slices.count;
  }

  get status(): NonNullable<ClusterStatus['coordinator']> {
    const { workers, shards, speed } = this;
    const { lostWorkers } = this.node.health();
    return { workers, shards, lostWorkers, rowsPerSecond: speed === undefined ? null : speed * 1000 };
  }

  passedOver(): void {
    this.rows = 0;
    this.slices.count = 0;
    this.measured.rested();
  }

  async gradients(steps: readonly ShardStep[]): Promise<Contribution> {
    this.rows = steps.length;
    this.slices.count = 0;
    const began = performance.now();
    const results = await this.node.gradients(steps);
    this.measured.add(rowsOfResults(results), performance.now() - began);
    return { results, subtrees: [], arrived: async () => undefined };
  }

  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    return this.node.predict(model, set, ranges);
  }
}
