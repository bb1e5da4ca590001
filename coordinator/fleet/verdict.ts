// Owns the judgement whether nodes make a run slower than one machine would be, and why, from what its steps took. Pure.
import { counted, whole } from '../../src/format.js';

/** Of a step by rows with nodes, as it was measured; times in milliseconds. */
export interface StepTimes {
  readonly rows: number;
  readonly shards: number;
  /** From asking for gradients to updated parameters at the coordinator. */
  readonly step: number;
  /** Of that, its update. */
  readonly update: number;
  /** Those who computed. */
  readonly parts: readonly StepPart[];
  /** On other machines. */
  readonly nodes: number;
  /** To and from each node, in the mean. */
  readonly bytes: { readonly sent: number; readonly received: number };
  /** At which sums came in on the slowest link, in Gbit/s; undefined where none has been measured. */
  readonly gigabits: number | undefined;
  /** Whether the step could be cut into hidden units instead. */
  readonly isSliceable: boolean;
}

export interface StepPart {
  readonly workers: number;
  readonly shards: number;
  /** Of one thread for all of the shards, in milliseconds. */
  readonly compute: number;
}

/** Less of a difference is within what such a comparison knows. */
const SLOWER = 1.1;

/**
 * A sentence with the reason and what to do; undefined where nodes pay off, or nearly. One machine is the fastest of those who compute, which
 * would compute all shards with its own workers.
 * @param times of some steps of one kind, at least one
 */
export function verdict(times: readonly StepTimes[]): string | undefined {
  const middle = (of: (step: StepTimes) => number) => median(times.map(of));
  const step = middle((each) => each.step);
  const alone = middle(aloneOf);
  if (step < SLOWER * alone) return undefined;
  const { nodes, rows, gigabits, isSliceable } = times.at(-1)!;
  const waiting = middle((each) => each.step - each.update - slowestOf(each));
  const makes = `${counted(nodes, 'node')} ${nodes === 1 ? 'makes' : 'make'} this run slower than one machine would be`;
  const takes = `a step of ${whole(rows)} rows takes ${whole(step)} ms, and would take ${whole(alone)} there`;
  // Part of the difference is work that is shared unevenly; what is the most of it is the reason.
  if (waiting < (step - alone) / 2) {
    const slowest = whole(middle(slowestOf));
    return `${makes}: ${takes}; the slowest machine computes for ${slowest} ms of it; leave it out, or begin a run with more --shards, which can be shared by speed`;
  }
  const megabytes = (of: (step: StepTimes) => number) => `${(middle(of) / 1e6).toFixed(1)} MB`;
  const rate = gigabits === undefined ? '' : ` at ${gigabits.toFixed(1)} Gbit/s`;
  const instead = isSliceable ? ', or begin a run with --strategy hidden in place of data: it sends kilobytes' : '';
  const travels = `${megabytes(({ bytes }) => bytes.sent)} to and ${megabytes(({ bytes }) => bytes.received)} from each node`;
  return `${makes}: ${takes}; ${whole(waiting)} ms of it wait for ${travels}${rate}; use a faster link or fewer nodes${instead}`;
}

/** All shards on the machine that would be fastest. Its workers compute one each at a time. */
function aloneOf({ parts, shards, update }: StepTimes): number {
  return Math.min(...parts.map((part) => rounds({ ...part, shards }) * (part.compute / part.shards))) + update;
}

const slowestOf = ({ parts }: StepTimes): number =>
  Math.max(...parts.map((part) => rounds(part) * (part.compute / part.shards)));

const rounds = ({ shards, workers }: Pick<StepPart, 'shards' | 'workers'>): number => Math.ceil(shards / workers);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
