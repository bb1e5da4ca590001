// Keeps a replay log: the steps that are not yet in the state in the coordinator's arena. From this state and the log,
// the tensor shards of a lost machine are computed again. Given the values that the coordinator sent in a step, a tensor
// shard can do the step without the others.
import type { TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';

/** A step that has been done, with the values that the coordinator sent in each of its exchanges. */
export interface DoneStep {
  readonly step: TensorStep;
  readonly given: readonly Float32Array[];
}

export const bytesOfStep = ({ step, given }: DoneStep): number =>
  given.reduce((sum, { byteLength }) => sum + byteLength, step.labelledImages.length);

/** Neighbouring tensor shards that lack the same steps. */
interface Missing extends TensorShardRange {
  readonly steps: readonly DoneStep[];
}

export class ReplayLog {
  /** For each tensor shard, the number of steps that are in its state here. */
  private readonly seen: number[];
  private steps: DoneStep[] = [];
  private done = 0;

  constructor(shards: number) {
    this.seen = Array.from({ length: shards }, () => 0);
  }

  /** The number of steps in the log. */
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

  /** Notes that the state here of these tensor shards includes all steps. */
  arrived({ first, end }: TensorShardRange): void {
    this.seen.fill(this.done, first, end);
    const oldest = Math.min(...this.seen);
    this.steps = this.steps.slice(this.steps.length - (this.done - oldest));
  }

  /** Returns whether the state here of these tensor shards, or of all, includes all steps. */
  isWhole(range: TensorShardRange = { first: 0, end: this.seen.length }): boolean {
    return this.missing(range).length === 0;
  }

  /** Returns the steps that the state here of these tensor shards lacks. */
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
