// Owns what the steps of a run with nodes take, and when that is judged: over some steps of the kind that is most of a stage's work, and told
// once a stage.
import type { Clock } from '../../../src/clock.js';
import type { NodeStatus } from '../../../src/protocol/status.js';
import { type Compute, type StepTimes, slowdownWarning } from './slowdown-warning.js';

/** So many steps say how a stage goes; the first of them build networks and bring images, which a median passes over. */
const STEPS = 20;

/** What is to be seen of a node on another machine. */
export interface Seen {
  readonly status: Pick<NodeStatus, 'bytesSent' | 'bytesReceived'>;
  readonly gigabits: number | undefined;
}

/** How much work a step is. */
export interface Work {
  readonly stage: number;
  readonly labelled: number;
  readonly unlabelled: number;
}

type Kind = Pick<StepTimes, 'strategy' | 'isSliceable'>;

export class StepTiming {
  private step: Work | undefined;
  private began = 0;
  /** Bytes of all nodes before the step. */
  private before = { sent: 0, received: 0 };
  private stage = -1;
  private isTold = false;
  /** Of the latest steps with the most rows of the stage so far. */
  private latest: StepTimes[] = [];

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly tell: (slowdownWarning: string) => void,
  ) {}

  begins(step: Work): void {
    if (step.stage !== this.stage) this.ended();
    this.stage = step.stage;
    this.step = step;
    this.began = this.clock.now();
  }

  /** It ends, with updated parameters. computeOf: undefined where it is not known yet. */
  ends(kind: Kind, computeOf: (rows: number) => Compute | undefined, nodes: readonly Seen[]): void {
    const { sent, received } = this.before;
    const sum = (of: (node: Seen) => number) => nodes.reduce((total, node) => total + of(node), 0);
    this.before = { sent: sum(({ status }) => status.bytesSent), received: sum(({ status }) => status.bytesReceived) };
    if (!this.step || nodes.length === 0) return;
    const { labelled, unlabelled } = this.step;
    const compute = computeOf(labelled + unlabelled);
    if (!compute) return;
    const rates = nodes.flatMap(({ gigabits }) => gigabits ?? []);
    const times: StepTimes = {
      ...kind,
      ...compute,
      ...{ rows: labelled + unlabelled, nodes: nodes.length },
      step: this.clock.now() - this.began,
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
    if (unlabelled > 0) this.judge();
  }

  /** The stage is over, or the run. */
  ended(): void {
    this.judge();
    this.isTold = false;
    this.latest = [];
  }

  private judge(): void {
    if (this.isTold || this.latest.length < STEPS) return;
    const said = slowdownWarning(this.latest);
    this.isTold = said !== undefined;
    if (said !== undefined) this.tell(said);
  }
}
