// Describes the status of a cluster for people: the position of its run, what each node is doing, and which nodes join
// and leave.
import type { Clock } from '../../../src/clock.js';
import type { PseudolabelError } from '../../../src/errors.js';
import type { Answer } from '../../../src/protocol/cluster-messages.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';

export interface ClusterListener {
  joined(node: { readonly name: string; readonly workers: number }): void;
  left(node: { readonly name: string }, reason: PseudolabelError): void;
  /** The node is left out until it has caught up. */
  fellBehind(node: { readonly name: string }, reason: PseudolabelError): void;
  caughtUp(node: { readonly name: string }): void;
  /** A node that wanted to join was refused. name: its name or address. */
  refused(name: string, reason: PseudolabelError): void;
  /**
   * Tells how many of the nodes are there that the run waits for before its first step. Is called again every few
   * seconds. left: milliseconds.
   */
  gathering(there: number, wanted: number, left: number): void;
  /**
   * No machine is there to compute, so the run waits until a node joins. isAgain: whether it was said a few seconds ago.
   * left: milliseconds.
   */
  waiting(left: number, isAgain: boolean): void;
  /** Nodes make the run slower. slowdownWarning: why, and what to do. */
  slower(slowdownWarning: string): void;
}

/**
 * What a node is doing, by the request that it works on. sums: it sends its sums of gradients; logits: it does the
 * forward pass of its tensor shards; state: it sends the state of its tensor shards; behind: it has not answered in
 * time, and others do its work.
 */
export type NodeActivity =
  | 'gradients'
  | 'sums'
  | 'logits'
  | 'update'
  | 'state'
  | 'labels'
  | 'graph'
  | 'waiting'
  | 'behind'
  | 'leaving';

export interface NodeNow {
  readonly name: string;
  readonly doing: NodeActivity;
}

const AWAITED: Readonly<Record<Exclude<Answer['kind'], 'failed'>, NodeActivity>> = {
  welcomed: 'waiting',
  ready: 'waiting',
  computed: 'gradients',
  updated: 'update',
  predicted: 'labels',
  described: 'graph',
  found: 'graph',
  logits: 'logits',
  collected: 'state',
  digest: 'update',
};

/**
 * Returns what a node is doing. awaited: the kind of answer that is due next. isSending: whether sums are still on
 * their way.
 */
export function activityOf(awaited: Answer['kind'] | undefined, isSending: boolean): NodeActivity {
  if (awaited !== undefined && awaited !== 'failed') return AWAITED[awaited];
  return isSending ? 'sums' : 'waiting';
}

/** A stage that the run trains, with its number of steps in this run. */
export interface PlannedStage {
  readonly name: string;
  readonly steps: number;
}

/**
 * The number of latest steps from which the remaining time is estimated. The steps of a stage get slower when its
 * pseudo-labels begin to count.
 */
const RECENT = 20;

/** Holds the position of a run: its stage, its step in the stage, and the time that the remaining steps take. */
export class RunPosition {
  private latest: { readonly stage: number; readonly done: number } | undefined;
  /** The times at which steps of the current stage ended. The first one is when its first step began. */
  private ends: number[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly plan: readonly PlannedStage[],
  ) {}

  /**
   * Begins a step, and returns the function that ends it. Both numbers count from 0 over the whole run, even if it is
   * resumed.
   */
  begin(stage: number, step: number): () => void {
    if (this.latest?.stage !== stage) this.ends = [];
    if (this.ends.length === 0) this.ends = [this.clock.now()];
    this.latest = { stage, done: step };
    return () => {
      this.latest = { stage, done: step + 1 };
      this.ends = [...this.ends, this.clock.now()].slice(-RECENT - 1);
    };
  }

  /** The position; null before the first step of this process. */
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
