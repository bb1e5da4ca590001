// Owns what the steps of a run with nodes take, and when that is judged: over some steps of the kind that is most of a stage's work, and told
// once a stage.
import { isSliceable } from '../../src/engine/pairs.js';
import type { ShardStep } from '../../src/protocol/node.js';
import type { NodeStatus } from '../../src/protocol/status.js';
import { type StepPart, type StepTimes, verdict } from './verdict.js';

/** So many steps say how a stage goes; the first of them build networks and bring images, which a median passes over. */
const STEPS = 20;

/** What is to be seen of a node on another machine. */
export interface Seen {
  readonly status: Pick<NodeStatus, 'bytesSent' | 'bytesReceived'>;
  readonly gigabits: number | undefined;
}

export class Pace {
  private step: ShardStep | undefined;
  private began = 0;
  /** Bytes of all nodes before the step. */
  private before = { sent: 0, received: 0 };
  private stage = -1;
  private isTold = false;
  /** Of the latest steps with the most rows of the stage so far. */
  private latest: StepTimes[] = [];

  /** now: in milliseconds. */
  constructor(
    private readonly tell: (verdict: string) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** step: any of its shards'. */
  begins(step: ShardStep): void {
    if (step.stage !== this.stage) this.ended();
    this.stage = step.stage;
    this.step = step;
    this.began = this.now();
  }

  /** update: milliseconds of it at the coordinator. */
  ends(update: number, parts: readonly StepPart[], nodes: readonly Seen[]): void {
    const { sent, received } = this.before;
    const sum = (of: (node: Seen) => number) => nodes.reduce((total, node) => total + of(node), 0);
    this.before = { sent: sum(({ status }) => status.bytesSent), received: sum(({ status }) => status.bytesReceived) };
    if (!this.step || nodes.length === 0) return;
    const { shards, labelledBatch, unlabelled } = this.step;
    const rates = nodes.flatMap(({ gigabits }) => gigabits ?? []);
    const times: StepTimes = {
      ...{ rows: labelledBatch + (unlabelled?.batch ?? 0), shards, update, parts, nodes: nodes.length },
      step: this.now() - this.began,
      isSliceable: isSliceable(this.step.model),
      bytes: {
        sent: (this.before.sent - sent) / nodes.length,
        received: (this.before.received - received) / nodes.length,
      },
      gigabits: rates.length > 0 ? Math.min(...rates) : undefined,
    };
    const rows = this.latest[0]?.rows ?? 0;
    if (times.rows < rows) return;
    this.latest = [...(times.rows > rows ? [] : this.latest), times].slice(-STEPS);
    // After steps of labelled rows alone more expensive ones may come, for which nodes pay off.
    if (unlabelled) this.judge();
  }

  /** The stage is over, or the run. */
  ended(): void {
    this.judge();
    this.isTold = false;
    this.latest = [];
  }

  private judge(): void {
    if (this.isTold || this.latest.length < STEPS) return;
    const said = verdict(this.latest);
    this.isTold = said !== undefined;
    if (said !== undefined) this.tell(said);
  }
}
