// What the steps of a run with nodes take, and the warning where nodes make it slower than one machine would be. Judged over some steps of the
// kind that is most of a stage's work, and told once a stage.
import type { Clock } from '../../../src/clock.js';
import { counted, whole } from '../../../src/format.js';
import type { NodeStatus } from '../../../src/protocol/status.js';
import { median } from '../../../src/scaling/bootstrap.js';
import type { StrategyName } from '../../../src/training/strategy-choice.js';

/** So many steps say how a stage goes; the first of them build networks and bring images, which a median passes over. */
const STEPS = 20;

/** What is measured of a node on another machine. */
interface Measured {
  readonly status: Pick<NodeStatus, 'bytesSent' | 'bytesReceived'>;
  readonly gigabits: number | undefined;
}

/** How much work a step is. */
interface Work {
  readonly stage: number;
  readonly labelled: number;
  readonly unlabelled: number;
}

/** Ends a step, whose parameters are updated. computeOf: undefined where it is not known yet. */
export type EndStep = (
  kind: Pick<StepTimes, 'strategy' | 'canBeTensor'>,
  computeOf: (rows: number) => Compute | undefined,
  nodes: readonly Measured[],
) => void;

export class StepTiming {
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

  begin(step: Work): EndStep {
    if (step.stage !== this.stage) this.endStage();
    this.stage = step.stage;
    const began = this.clock.now();
    return (...how) => this.end(step, began, ...how);
  }

  /** The stage is over, or the run. */
  endStage(): void {
    this.judge();
    this.isTold = false;
    this.latest = [];
  }

  private end({ labelled, unlabelled }: Work, began: number, ...[kind, computeOf, nodes]: Parameters<EndStep>): void {
    const { sent, received } = this.before;
    const sum = (of: (node: Measured) => number) => nodes.reduce((total, node) => total + of(node), 0);
    this.before = { sent: sum(({ status }) => status.bytesSent), received: sum(({ status }) => status.bytesReceived) };
    if (nodes.length === 0) return;
    const compute = computeOf(labelled + unlabelled);
    if (!compute) return;
    const rates = nodes.flatMap(({ gigabits }) => gigabits ?? []);
    const times: StepTimes = {
      ...kind,
      ...compute,
      ...{ rows: labelled + unlabelled, nodes: nodes.length },
      step: this.clock.now() - began,
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

  private judge(): void {
    if (this.isTold || this.latest.length < STEPS) return;
    const said = slowdownWarning(this.latest);
    this.isTold = said !== undefined;
    if (said !== undefined) this.tell(said);
  }
}

/** Of a step with nodes, as it was measured; times in milliseconds. */
export interface StepTimes extends Compute {
  readonly strategy: StrategyName;
  readonly rows: number;
  /** From its first request to updated parameters at the coordinator. */
  readonly step: number;
  /** On other machines. */
  readonly nodes: number;
  /** To and from each node, in the mean. */
  readonly bytes: { readonly sent: number; readonly received: number };
  /** At which sums came in on the slowest link, in Gbit/s; undefined where none has been measured. */
  readonly gigabits: number | undefined;
  /** Whether a data-parallel step could be tensor parallel instead. */
  readonly canBeTensor: boolean;
}

/** What those who compute take for a step, each with all of its workers. */
export interface Compute {
  /** The fastest, for all of the step. */
  readonly alone: number;
  /** The slowest, for its part. */
  readonly slowest: number;
  /** What the coordinator does after all of them. */
  readonly update: number;
}

/** Of those who compute gradients of shards. */
export interface StepPart {
  readonly workers: number;
  readonly shards: number;
  /** Of one thread for all of the shards, in milliseconds. */
  readonly compute: number;
}

/** A machine's workers compute a shard each at a time. shards: of the step. */
export function computeOfDataParallel(parts: readonly StepPart[], shards: number, update: number): Compute {
  const rounds = (part: StepPart, count: number) => Math.ceil(count / part.workers) * (part.compute / part.shards);
  return {
    alone: Math.min(...parts.map((part) => rounds(part, shards))) + update,
    slowest: Math.max(...parts.map((part) => rounds(part, part.shards))),
    update,
  };
}

/** Of those who own tensor shards: their share of all, and rows of whole steps by milliseconds. Each updates its own. */
export function computeOfTensorParallel(
  parts: readonly { readonly share: number; readonly speed: number }[],
  rows: number,
): Compute {
  return {
    alone: rows / Math.max(...parts.map(({ speed }) => speed)),
    slowest: Math.max(...parts.map(({ share, speed }) => (rows * share) / speed)),
    update: 0,
  };
}

/** Less of a difference is within what such a comparison knows. */
const SLOWER = 1.1;

/**
 * A sentence with the reason and what to do; undefined where nodes pay off, or nearly. One machine is the fastest of those who compute.
 * @param times of some steps of one kind, at least one
 */
export function slowdownWarning(times: readonly StepTimes[]): string | undefined {
  const middle = (of: (step: StepTimes) => number) => median(times.map(of));
  const step = middle((each) => each.step);
  const alone = middle((each) => each.alone);
  if (step < SLOWER * alone) return undefined;
  const { nodes, rows, gigabits } = times.at(-1)!;
  const waiting = middle((each) => each.step - each.update - each.slowest);
  const makes = `${counted(nodes, 'node')} ${nodes === 1 ? 'makes' : 'make'} this run slower than one machine would be`;
  const takes = `a step of ${whole(rows)} rows takes ${whole(step)} ms, and would take ${whole(alone)} there`;
  // Part of the difference is work that is shared unevenly; what is the most of it is the reason.
  if (waiting < (step - alone) / 2) {
    const slowest = whole(middle((each) => each.slowest));
    return `${makes}: ${takes}; the slowest machine computes for ${slowest} ms of it; leave it out, or begin a run with more --shards, which can be shared by speed`;
  }
  const rate = gigabits === undefined ? '' : ` at ${gigabits.toFixed(1)} Gbit/s`;
  const [sent, received] = [middle(({ bytes }) => bytes.sent), middle(({ bytes }) => bytes.received)].map(sized);
  const travels = `${sent} to and ${received} from each node`;
  return `${makes}: ${takes}; ${whole(waiting)} ms of it wait for ${travels}${rate}; use ${remedyOf(times.at(-1)!)}`;
}

function remedyOf({ strategy, canBeTensor }: StepTimes): string {
  // What little travels tensor parallel does not wait for a rate, but for each message to get there.
  if (strategy === 'tensor') return 'a link with less delay, or fewer nodes';
  const instead = ', or begin a run with --strategy tensor in place of data: it sends kilobytes';
  return `a faster link or fewer nodes${canBeTensor ? instead : ''}`;
}

const sized = (bytes: number): string => (bytes < 1e5 ? `${whole(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`);
