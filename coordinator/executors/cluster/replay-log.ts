// The replay log: the steps that the state in the arena here has not seen yet. From both, the tensor shards of a member that is lost are made
// again: given what came down in a step, a tensor shard can do it without any other.
import type { TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';

/** A step that has been done, with the values that came down in each of its exchanges. */
export interface DoneStep {
  readonly step: TensorStep;
  readonly given: readonly Float32Array[];
}

export const bytesOfStep = ({ step, given }: DoneStep): number =>
  given.reduce((sum, { byteLength }) => sum + byteLength, step.labelledImages.length);

/** Tensor shards that lack the same steps. */
interface Missing extends TensorShardRange {
  readonly steps: readonly DoneStep[];
}

export class ReplayLog {
  /** Of each tensor shard: how many steps its state here has seen. */
  private readonly seen: number[];
  private steps: DoneStep[] = [];
  private done = 0;

  constructor(shards: number) {
    this.seen = Array.from({ length: shards }, () => 0);
  }

  /** How many steps it holds. */
  get length(): number {
    return this.steps.length;
  }

  get bytes(): number {
    return this.steps.reduce((sum, done) => sum + bytesOfStep(done), 0);
  }

  add(step: DoneStep): void {
    this.steps.push(step);
    this.done++;
  }

  /** The state of these tensor shards here has seen all steps. */
  arrived({ first, end }: TensorShardRange): void {
    this.seen.fill(this.done, first, end);
    const oldest = Math.min(...this.seen);
    this.steps = this.steps.slice(this.steps.length - (this.done - oldest));
  }

  /** Whether the state here of these tensor shards, or of all, has seen all steps. */
  isWhole(range: TensorShardRange = { first: 0, end: this.seen.length }): boolean {
    return this.missing(range).length === 0;
  }

  /** What the state here of these tensor shards has not seen. */
  missing({ first, end }: TensorShardRange): Missing[] {
    const runs: Missing[] = [];
    for (let shard = first; shard < end; shard++) {
      const lacking = this.done - this.seen[shard]!;
      const last = runs.at(-1);
      if (lacking === 0) continue;
      if (last?.end === shard && last.steps.length === lacking) runs[runs.length - 1] = { ...last, end: shard + 1 };
      else runs.push({ first: shard, end: shard + 1, steps: this.steps.slice(-lacking) });
    }
    return runs;
  }
}
