// Owns the coordinator's own threads as a member: its sums need not travel, since its slots are those that are summed.
import type { Model } from '../../src/engine/model.js';
import type { ShardStep } from '../../src/protocol/node.js';
import type { PredictResult, PredictTask } from '../../src/protocol/tasks.js';
import type { LocalNode } from '../../worker/node.js';
import { type Contribution, type Member, rowsOfResults } from './member.js';
import { LocalSlices } from './slice-holder.js';
import { Speed } from './speed.js';

export class LocalMember implements Member {
  readonly name: string;
  readonly workers: number;
  readonly slices: LocalSlices;
  private readonly measured = new Speed();

  constructor(private readonly node: LocalNode) {
    this.name = node.name;
    this.workers = node.workers;
    this.slices = new LocalSlices(node, this.measured);
  }

  get speed(): number | undefined {
    return this.measured.rowsPerMillisecond;
  }

  passedOver(): void {
    this.measured.rested();
  }

  async gradients(steps: readonly ShardStep[]): Promise<Contribution> {
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
