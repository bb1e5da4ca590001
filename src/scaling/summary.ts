// Turns measured blocks into speed, speed-up, efficiency and the reasons for losses, and says where no conclusion is
// possible.
import { type Estimate, estimate, median } from './bootstrap.js';
import { type AmdahlFit, fitAmdahl, fitUniversal, karpFlatt, type Undetermined, type UniversalFit } from './laws.js';
import { type Split, scaled, splitBy, sumOf, TOLERANCE } from './time-split.js';

/** strong: the same work for any number of workers. weak: as much work for each worker. */
export type Mode = 'strong' | 'weak';

/** Some consecutive steps of one candidate. */
export interface Block {
  readonly steps: number;
  /** The images that were processed. */
  readonly rows: number;
  readonly milliseconds: number;
  /** Milliseconds of all workers together. */
  readonly split: Split;
  /** The difference between the sum of the parts and the whole, as a share of the whole. */
  readonly splitError: number;
  /** The least share of its time in tasks in which a worker had no core, because other processes had it. */
  readonly withoutCore: number;
  /** The bytes that were sent between processes. */
  readonly wireBytes: number;
}

/** One block of each candidate, one after the other: N workers of one thread, and one worker of N threads. */
export interface Round {
  readonly workers: Readonly<Record<number, Block>>;
  readonly threads: Readonly<Record<number, Block>>;
}

/** Why a row allows no conclusion. */
export type Doubt = 'more workers than cores' | 'too few rounds' | 'too noisy' | 'too busy' | 'parts do not add up';

/** The fewest rounds that show the spread: the interval of a median of two is just the two. */
export const FEWEST_ROUNDS = 3;
/** A speed-up is too noisy if half its 95 % interval is more than this share of it. */
export const NOISE_LIMIT = 0.1;
/**
 * The machine is too busy if workers have no core for more than this share of their time. A steady load is not noise,
 * and has to be tested separately.
 */
export const BUSY_LIMIT = 0.05;

/**
 * A row of the result. S, E and the laws count workers as multiples of the first row's: workers of one process, or
 * processes with equally many workers each.
 */
export interface Row {
  /** The number of workers in all. */
  readonly workers: number;
  readonly millisecondsPerStep: Estimate;
  readonly imagesPerSecond: Estimate;
  readonly speedUp: Estimate;
  readonly efficiency: Estimate;
  /** Karp and Flatt's serial share, for strong scaling with several workers only. */
  readonly serialFraction: number | undefined;
  /** An average step of one worker: milliseconds of its parts, which add up to those of the step. */
  readonly split: Split;
  /** The largest of this row's and of the first row's blocks. */
  readonly splitError: number;
  /** The larger of the medians of this row's and of the first row's blocks. */
  readonly withoutCore: number;
  /** The bytes of a step between processes. */
  readonly wireBytes: number;
  /** What each part adds to 1 - efficiency, compared with the first row. It is negative if the part became cheaper. */
  readonly loss: Split;
  /** One worker whose products have as many threads as there are workers here. */
  readonly oneWorkerOfThreads: { readonly millisecondsPerStep: Estimate; readonly speedUp: Estimate } | undefined;
  readonly doubts: readonly Doubt[];
}

export interface PhaseSummary {
  readonly rows: readonly Row[];
  /** undefined for weak scaling, which these laws do not describe. */
  readonly amdahl: AmdahlFit | Undetermined | undefined;
  readonly universal: UniversalFit | Undetermined | undefined;
}

/**
 * Summarises a measurement. counts: workers in all, ascending; the others are multiples of the first. seed: of the
 * intervals.
 */
export function summarise(
  rounds: readonly Round[],
  counts: readonly number[],
  options: { readonly mode: Mode; readonly cores: number; readonly seed: number },
): PhaseSummary {
  const first = counts[0]!;
  const rows = counts.map((workers) => rowOf(rounds, workers, { ...options, first }));
  if (options.mode === 'weak') return { rows, amdahl: undefined, universal: undefined };
  const points = rows
    .filter(({ doubts }) => doubts.length === 0)
    .map(({ workers, speedUp }) => ({ workers: workers / first, speedUp: speedUp.value }));
  return { rows, amdahl: fitAmdahl(points), universal: fitUniversal(points) };
}

type BlockOf = (round: Round) => Block;

const stepTime = ({ milliseconds, steps }: Block): number => milliseconds / steps;
const imageTime = ({ milliseconds, rows }: Block): number => milliseconds / rows;

const medianOf = (rounds: readonly Round[], who: BlockOf, of: (block: Block) => number): number =>
  median(rounds.map((round) => of(who(round))));

function rowOf(
  rounds: readonly Round[],
  workers: number,
  { mode, cores, seed, first }: { mode: Mode; cores: number; seed: number; first: number },
): Row {
  const one: BlockOf = (round) => round.workers[first]!;
  const several: BlockOf = (round) => round.workers[workers]!;
  const threads: BlockOf = (round) => round.threads[workers]!;
  const over = (statistic: (from: readonly Round[]) => number) => estimate(rounds, statistic, seed);
  const times = (who: BlockOf) => over((from) => medianOf(from, who, stepTime));
  const gain = (who: BlockOf) => over((from) => medianOf(from, one, imageTime) / medianOf(from, who, imageTime));

  const units = workers / first;
  const block = medianBlock(rounds.map(several));
  const speedUp = gain(several);
  const blocks = rounds.flatMap((round) => [one(round), several(round)]);
  const splitError = blocks.map((each) => each.splitError).reduce(largerError);
  const withoutCore = Math.max(...[one, several].map((who) => medianOf(rounds, who, (each) => each.withoutCore)));
  const hasThreads = rounds[0]?.threads[workers] !== undefined;
  return {
    workers,
    millisecondsPerStep: times(several),
    imagesPerSecond: over((from) => 1e3 / medianOf(from, several, imageTime)),
    speedUp,
    efficiency: over((from) => medianOf(from, one, imageTime) / medianOf(from, several, imageTime) / units),
    serialFraction: mode === 'strong' ? karpFlatt({ workers: units, speedUp: speedUp.value }) : undefined,
    split: scaled(block.split, 1 / (workers * block.steps)),
    splitError,
    withoutCore,
    wireBytes: block.wireBytes / block.steps,
    loss: lossOf(block, medianBlock(rounds.map(one))),
    oneWorkerOfThreads: hasThreads ? { millisecondsPerStep: times(threads), speedUp: gain(threads) } : undefined,
    doubts: doubtsOf({ workers, cores, rounds: rounds.length, speedUp, splitError, withoutCore }),
  };
}

/**
 * Returns the block of the median time, or the two in the middle together. Its parts add up to the median, which
 * medians of parts do not. All blocks have the same steps.
 */
export function medianBlock(blocks: readonly Block[]): Block {
  const sorted = blocks.toSorted((a, b) => a.milliseconds - b.milliseconds);
  const high = sorted[sorted.length >> 1]!;
  if (sorted.length % 2 === 1) return high;
  const low = sorted[(sorted.length >> 1) - 1]!;
  return {
    steps: low.steps + high.steps,
    rows: low.rows + high.rows,
    milliseconds: low.milliseconds + high.milliseconds,
    split: splitBy((share) => low.split[share] + high.split[share]),
    splitError: largerError(low.splitError, high.splitError),
    withoutCore: (low.withoutCore + high.withoutCore) / 2,
    wireBytes: low.wireBytes + high.wireBytes,
  };
}

/**
 * Returns the losses. With c the time of all workers for an image, 1 - efficiency = (c(several) - c(one)) / c(several).
 */
function lossOf(several: Block, one: Block): Split {
  const whole = sumOf(several.split) / several.rows;
  return splitBy((share) => (several.split[share] / several.rows - one.split[share] / one.rows) / whole);
}

const largerError = (a: number, b: number): number => (Math.abs(b) > Math.abs(a) ? b : a);

function doubtsOf(of: {
  workers: number;
  cores: number;
  rounds: number;
  speedUp: Estimate;
  splitError: number;
  withoutCore: number;
}): Doubt[] {
  const { value, low, high } = of.speedUp;
  const isNoisy = low !== undefined && high !== undefined && (high - low) / 2 > NOISE_LIMIT * value;
  const doubts: [Doubt, boolean][] = [
    ['more workers than cores', of.workers > of.cores],
    ['too few rounds', of.rounds < FEWEST_ROUNDS],
    ['too noisy', isNoisy],
    // With too few cores this would state the same fact twice.
    ['too busy', of.workers <= of.cores && of.withoutCore > BUSY_LIMIT],
    ['parts do not add up', Math.abs(of.splitError) > TOLERANCE],
  ];
  return doubts.filter(([, holds]) => holds).map(([doubt]) => doubt);
}
