// Medians and their intervals: the percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap",
// 1993, chapter 13).
import { keyOf, Stream } from '../random.js';

/** A number with its 95 % confidence interval. low and high are undefined for a single value. */
export interface Estimate {
  readonly value: number;
  readonly low: number | undefined;
  readonly high: number | undefined;
}

const RESAMPLES = 2000;
const TAIL = 0.025;

/** Returns the median, or NaN for no values. */
export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/**
 * Returns a statistic of measurements that were made in rounds, with its interval over rounds that are resampled with
 * replacement. Whole rounds are resampled, so that a disturbance of a round affects everything that is compared in it.
 * @param seed the same seed and rounds give the same interval
 */
export function estimate<T>(rounds: readonly T[], statistic: (rounds: readonly T[]) => number, seed: number): Estimate {
  const value = statistic(rounds);
  if (rounds.length < 2) return { value, low: undefined, high: undefined };
  const stream = new Stream(keyOf(seed, 'resampling', rounds.length));
  const resampled = Array.from({ length: RESAMPLES }, () =>
    statistic(rounds.map(() => rounds[stream.below(rounds.length)]!)),
  ).sort((a, b) => a - b);
  return { value, low: quantile(resampled, TAIL), high: quantile(resampled, 1 - TAIL) };
}

/** Interpolates linearly between the order statistics. sorted: ascending. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * (above - below);
}
