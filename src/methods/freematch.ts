// FreeMatch (Wang et al. 2023): FixMatch with thresholds that follow the network.
// With q_u = p(y | weak view) of the rows u = 1 .. B of a step and momentum m: tau = m tau + (1 - m) mean_u max q_u
// (eq. 5) and p~(c) = m p~(c) + (1 - m) mean_u q_u(c) (eq. 6). Both begin at 1 / C. A row of class c counts if max q_u
// >= tau(c) = tau p~(c) / max p~ (eq. 7). A step uses the thresholds that the steps before it have left. The fairness
// term (eq. 11), which couples the rows of a step, is not used; class-balance.ts holds the classes to shares instead.
import { z } from 'zod';
import { type FreshSettings, fresh, freshFields, freshRows, ofClasses } from './fresh-labels.js';
import type { Method, MethodState } from './method.js';

export interface FreeMatchSettings extends FreshSettings {
  readonly name: 'freematch';
  /** m: 0.99 remembers about a hundred steps. */
  readonly momentum: number;
}

const settings: z.ZodType<FreeMatchSettings> = z.strictObject({
  name: z.literal('freematch'),
  ...freshFields,
  momentum: z.number().min(0).lt(1),
});

interface Thresholds {
  /** tau, alone in its list. */
  readonly confidence: readonly number[];
  /** p~ */
  readonly shares: readonly number[];
}

/** Returns tau(c) of each class. */
function thresholdsOf(state: MethodState): number[] {
  const { confidence, shares } = state as unknown as Thresholds;
  const largest = Math.max(...shares);
  return shares.map((share) => (confidence[0]! * share) / largest);
}

/**
 * Returns the averages after a step of `rows` rows. sums: after those of class-balance.ts, the sums over the rows of q
 * of each class, then of max q.
 */
function moved(state: MethodState, sums: readonly number[], rows: number, momentum: number): Thresholds {
  const { confidence, shares } = state as unknown as Thresholds;
  const towards = (old: number, sum: number): number => Math.min(1, momentum * old + ((1 - momentum) * sum) / rows);
  return {
    confidence: [towards(confidence[0]!, sums[shares.length]!)],
    shares: shares.map((share, c) => towards(share, sums[c]!)),
  };
}

export const freeMatch: Method<FreeMatchSettings> = {
  ...fresh,
  title: 'FreeMatch',
  settings,
  augmentation: 'digits',
  defaults: {
    name: 'freematch',
    batch: 112,
    alpha: { t1: 400, t2: 800, final: 1, every: 1 },
    momentum: 0.99,
    balance: { momentum: 0.99, shares: 'auto' },
  },
  stepSettings: z.strictObject({ thresholds: ofClasses }),
  state: z.strictObject({
    target: ofClasses,
    predicted: ofClasses,
    confidence: ofClasses.length(1),
    shares: ofClasses,
  }),
  begin: (of, labelCounts) => ({
    ...fresh.begin(of, labelCounts),
    confidence: [1 / labelCounts.length],
    shares: labelCounts.map(() => 1 / labelCounts.length),
  }),
  rows: (of, step, state, labelCounts) => freshRows(of, step, state, labelCounts, { thresholds: thresholdsOf(state) }),
  statistics: (rows, classes) => fresh.statistics(rows, classes) + classes + 1,
  targets({ settings }, { rows, classes, confidences, classMasses, probabilities }) {
    const { thresholds } = settings as { thresholds: readonly number[] };
    const q = probabilities(1);
    const sums = thresholds.map((_, c) => q.subarray(c * rows, (c + 1) * rows).reduce((sum, each) => sum + each, 0));
    const largest = confidences.reduce((sum, each) => sum + each, 0);
    return {
      targets: classes,
      weights: Uint8Array.from(confidences, (each, r) => Number(each >= thresholds[classes[r]!]!)),
      statistics: [...classMasses, ...sums, largest],
    };
  },
  next(of, step, state, statistics) {
    if (statistics.length === 0) return state;
    const own = state.shares!.length + 1;
    const balanced = statistics.slice(0, -own);
    return {
      ...(balanced.length > 0 ? fresh.next(of, step, state, balanced) : state),
      ...moved(state, statistics.slice(-own), of.batch, of.momentum),
    };
  },
};
