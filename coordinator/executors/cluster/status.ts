// What a person may be told of a cluster: where its run stands, what each node is doing, and who joins and leaves.
import type { Clock } from '../../../src/clock.js';
import type { PseudolabelError } from '../../../src/errors.js';
import type { Answer } from '../../../src/protocol/cluster-messages.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';

export interface ClusterListener {
  joined(node: { readonly name: string; readonly workers: number }): void;
  left(node: { readonly name: string }, reason: PseudolabelError): void;
  /** It is left out until it has caught up. */
  fellBehind(node: { readonly name: string }, reason: PseudolabelError): void;
  caughtUp(node: { readonly name: string }): void;
  /** One that wanted to join, by its name or address. */
  refused(name: string, reason: PseudolabelError): void;
  /** So many of the nodes that the run waits for before its first step are there. Said again every few seconds. left: milliseconds. */
  gathering(there: number, wanted: number, left: number): void;
  /** Nobody is there to compute: the run stands still until a node joins. isAgain: it was said a few seconds ago. left: milliseconds. */
  waiting(left: number, isAgain: boolean): void;
  /** Nodes make the run slower: why, and what to do. */
  slower(slowdownWarning: string): void;
}

/**
 * What a node is doing, by what it was asked for. sums: it sends those of gradients that it has computed; logits: the forward pass of its
 * tensor shards; state: it sends that of its tensor shards. behind: it has not answered in time, and others do its work.
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

/** awaited: the kind of answer that is due next; isSending: whether sums are still on their way. */
export function activityOf(awaited: Answer['kind'] | undefined, isSending: boolean): NodeActivity {
  if (awaited !== undefined && awaited !== 'failed') return AWAITED[awaited];
  return isSending ? 'sums' : 'waiting';
}

/** A stage that the run trains, and its steps in this run. */
export interface PlannedStage {
  readonly name: string;
  readonly steps: number;
}

/** Time left is told by so many steps: those of a stage get slower when its pseudo-labels begin to count. */
const RECENT = 20;

/** Where a run stands: its stage, its step of all of the stage's, and the time that those take which are left. */
export class RunPosition {
  private latest: { readonly stage: number; readonly done: number } | undefined;
  /** When steps of the stage that is on have ended, and before them when the first of them began. */
  private ends: number[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly plan: readonly PlannedStage[],
  ) {}

  /** Begins a step, and returns what ends it. Both numbers count from 0, over the whole run, also where it is resumed. */
  begin(stage: number, step: number): () => void {
    if (this.latest?.stage !== stage) this.ends = [];
    if (this.ends.length === 0) this.ends = [this.clock.now()];
    this.latest = { stage, done: step };
    return () => {
      this.latest = { stage, done: step + 1 };
      this.ends = [...this.ends, this.clock.now()].slice(-RECENT - 1);
    };
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
