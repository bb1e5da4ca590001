// Owns what the state of slices can be made of again: at which step each is in the arena here, and the steps since. Given what came
// down to it in a step, a slice can do that without any other. Pure.
import type { TensorShardRange } from '../../../src/engine/tensor-tasks.js';
import { bytesOfStep, type DoneStep } from './tensor-shard-owner.js';

/** Slices that lack the same steps. */
export interface Missing extends TensorShardRange {
  readonly steps: readonly DoneStep[];
}

export class ReplayLog {
  /** Of each slice: how many steps its state here has seen. */
  private readonly seen: number[];
  private steps: DoneStep[] = [];
  private done = 0;

  constructor(slices: number) {
    this.seen = Array.from({ length: slices }, () => 0);
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

  /** The state of these slices here has seen all steps. */
  arrived({ first, end }: TensorShardRange): void {
    this.seen.fill(this.done, first, end);
    const oldest = Math.min(...this.seen);
    this.steps = this.steps.slice(this.steps.length - (this.done - oldest));
  }

  isWhole(range: TensorShardRange = { first: 0, end: this.seen.length }): boolean {
    return this.missing(range).length === 0;
  }

  /** What the state here of these slices has not seen. */
  missing({ first, end }: TensorShardRange): Missing[] {
    const runs: Missing[] = [];
    for (let slice = first; slice < end; slice++) {
      const lacking = this.done - this.seen[slice]!;
      const last = runs.at(-1);
      if (lacking === 0) continue;
      if (last?.end === slice && last.steps.length === lacking) runs[runs.length - 1] = { ...last, end: slice + 1 };
      else runs.push({ first: slice, end: slice + 1, steps: this.steps.slice(-lacking) });
    }
    return runs;
  }
}
