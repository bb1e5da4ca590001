// Times the steps of a run with nodes, and warns if the nodes make it slower than one machine would be. It judges by
// some steps of the kind that is most of a stage's work, and warns once per stage.
import type { Clock } from '../../../src/clock.js';
import { counted, whole } from '../../../src/format.js';
import type { NodeStatus } from '../../../src/protocol/status.js';
import { median } from '../../../src/scaling/bootstrap.js';
import type { StrategyName } from '../../../src/training/strategy-choice.js';

/**
 * The number of steps that a stage is judged by. The first of them build networks and send images, but a median ignores
 * those.
 */
const STEPS = 20;

/** The measurements of a node on another machine. */
interface Measured {
  readonly status: Pick<NodeStatus, 'bytesSent' | 'bytesReceived'>;
  readonly gigabits: number | undefined;
}

/** The amount of work of a step. */
interface Work {
  readonly stage: number;
  readonly labelled: number;
  readonly unlabelled: number;
}

/** Ends a step, whose parameters are updated. computeOf: returns undefined while it is not known. */
export type EndStep = (
  kind: Pick<StepTimes, 'strategy' | 'canBeTensor'>,
  computeOf: (rows: number) => Compute | undefined,
  nodes: readonly Measured[],
) => void;

export class StepTiming {
  /** The bytes of all nodes before the step. */
  private before = { sent: 0, received: 0 };
  private stage = -1;
  private isTold = false;
  /** The times of the latest steps that have the most rows in the stage so far. */
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

  /** Ends the stage or the run. */
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
      rows: labelled + unlabelled,
      nodes: nodes.length,
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
    // More expensive steps may follow those of labelled rows alone, and nodes may pay off for these.
    if (unlabelled > 0) this.judge();
  }

  private judge(): void {
    if (this.isTold || this.latest.length < STEPS) return;
    const said = slowdownWarning(this.latest);
    this.isTold = said !== undefined;
    if (said !== undefined) this.tell(said);
  }
}

/** The measured times of a step with nodes, in milliseconds. */
export interface StepTimes extends Compute {
  readonly strategy: StrategyName;
  readonly rows: number;
  /** The time from the first request to updated parameters at the coordinator. */
  readonly step: number;
  /** The number of nodes on other machines. */
  readonly nodes: number;
  /** The mean number of bytes to and from each node. */
  readonly bytes: { readonly sent: number; readonly received: number };
  /** The rate at which sums arrived on the slowest link, in Gbit/s; undefined if none has been measured. */
  readonly gigabits: number | undefined;
  /** Whether a data-parallel step could be tensor-parallel instead. */
  readonly canBeTensor: boolean;
}

/** The times that the machines take for a step, each with all of its workers. */
export interface Compute {
  /** The time of the fastest machine for the whole step. */
  readonly alone: number;
  /** The time of the slowest machine for its part. */
  readonly slowest: number;
  /** The time of what the coordinator does after all of them. */
  readonly update: number;
}

/** The part of a machine that computes gradients of shards. */
export interface StepPart {
  readonly workers: number;
  readonly shards: number;
  /** The time of one thread for all of the shards, in milliseconds. */
  readonly compute: number;
}

/**
 * Returns the times of a data-parallel step. Each worker of a machine computes one shard at a time. shards: the number
 * of shards of the step.
 */
export function computeOfDataParallel(parts: readonly StepPart[], shards: number, update: number): Compute {
  const rounds = (part: StepPart, count: number) => Math.ceil(count / part.workers) * (part.compute / part.shards);
  return {
    alone: Math.min(...parts.map((part) => rounds(part, shards))) + update,
    slowest: Math.max(...parts.map((part) => rounds(part, part.shards))),
    update,
  };
}

/**
 * Returns the times of a tensor-parallel step. share: a machine's share of all tensor shards; speed: rows of whole steps
 * per millisecond. Each machine updates its own tensor shards.
 */
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

/** A smaller difference is within the error of such a comparison. */
const SLOWER = 1.1;

/**
 * Returns a sentence with the reason and what to do, or undefined if the nodes pay off, or nearly do. One machine alone
 * means the fastest machine.
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
  // Part of the difference is work that is shared unevenly. The larger part is given as the reason.
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
  // A tensor-parallel step sends little. It does not depend on the rate, but on the delay of each message.
  if (strategy === 'tensor') return 'a link with less delay, or fewer nodes';
  const instead = ', or begin a run with --strategy tensor in place of data: it sends kilobytes';
  return `a faster link or fewer nodes${canBeTensor ? instead : ''}`;
}

const sized = (bytes: number): string => (bytes < 1e5 ? `${whole(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`);
