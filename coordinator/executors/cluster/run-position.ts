// Where a run stands, for those who ask from elsewhere: its stage, its step of all of the stage's, and the time that those take which are left.
import type { Clock } from '../../../src/clock.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';

/** A stage that the run trains, and its steps in this run. */
export interface PlannedStage {
  readonly name: string;
  readonly steps: number;
}

/** Time left is told by so many steps: those of a stage get slower when its pseudo-labels begin to count. */
const RECENT = 20;

export class RunPosition {
  private latest: { readonly stage: number; readonly done: number } | undefined;
  /** When steps of the stage that is on have ended, and before them when the first of them began. */
  private ends: number[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly plan: readonly PlannedStage[],
  ) {}

  /** A step begins. Both count from 0, over the whole run, also where it is gone on with. */
  begins(stage: number, step: number): void {
    if (this.latest?.stage !== stage) this.ends = [];
    if (this.ends.length === 0) this.ends = [this.clock.now()];
    this.latest = { stage, done: step };
  }

  ended(): void {
    if (!this.latest) return;
    const { stage, done } = this.latest;
    this.latest = { stage, done: done + 1 };
    this.ends = [...this.ends, this.clock.now()].slice(-RECENT - 1);
  }

  /** null before the first step of this process. */
  get status(): ClusterStatus['position'] {
    if (!this.latest) return null;
    const { stage, done } = this.latest;
    const { name, steps } = this.plan[stage] ?? { name: `stage ${stage}`, steps: done };
    const counted = this.ends.length - 1;
    const each = counted > 0 ? (this.ends.at(-1)! - this.ends[0]!) / counted / 1000 : null;
    const left = each === null ? null : Math.max(0, steps - done) * each;
    return {
      stage: name,
      stageNumber: stage + 1,
      stages: Math.max(this.plan.length, stage + 1),
      step: done,
      steps,
      secondsLeft: left,
    };
  }
}
