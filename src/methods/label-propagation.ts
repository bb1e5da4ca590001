// Label propagation: the few labels spread over a graph of all images, whose edges join images that look alike (Zhou et
// al. 2004; for training networks Iscen et al. 2019). The result is the stored pseudo-label of each image. Its weight
// is 1 - entropy / ln(classes) of the class shares that reached the image.
import { z } from 'zod';
import { type GraphSettings, graphSchema } from '../graph/settings.js';
import { type AlphaSchedule, alpha, alphaSchema } from './alpha.js';
import { equalShares, type SharesChoice, sharesOf, sharesSchema } from './class-balance.js';
import type { Method } from './method.js';
import { supervised } from './supervised.js';
import { checkShares, stepsOfRefresh, withoutEffect } from './user-options.js';

export interface LabelPropagationSettings {
  readonly name: 'label-propagation';
  readonly batch: number;
  /** If left out, alpha is 1 from the first step on. */
  readonly alpha?: AlphaSchedule | undefined;
  /** Says when labels are propagated anew: once before the stage, or each time after this many steps. */
  readonly refresh: 'once' | number;
  readonly graph: GraphSettings;
  /**
   * predicted: the shares of the classes among the network's predictions for all images, which needs a graph that mixes
   * them in.
   */
  readonly balance: HeldShares | 'predicted';
}

/** The shares of the classes that propagated labels are assumed to have. off: nothing is assumed. */
export type HeldShares = 'labelled' | 'equal' | 'off' | readonly number[];

const count = z.int().min(1).max(1e9);
const mean = z.number().min(0).max(1);

const settings: z.ZodType<LabelPropagationSettings> = z
  .strictObject({
    name: z.literal('label-propagation'),
    batch: count,
    alpha: alphaSchema.optional(),
    refresh: z.union([z.literal('once'), count]),
    graph: graphSchema,
    balance: z.union([z.enum(['labelled', 'equal', 'off', 'predicted']), sharesSchema]),
  })
  .refine(({ balance, graph }) => balance !== 'predicted' || graph.mix !== undefined, {
    error: 'balance: predicted needs graph.mix, by which predictions come in',
  });

const alphaOf = ({ alpha: schedule }: LabelPropagationSettings, step: number): number =>
  schedule ? alpha(schedule, step) : 1;

/**
 * Returns the shares, or undefined if classes are held to none. labelCounts: the number of labelled images of each
 * class.
 */
export function heldShares(held: HeldShares, labelCounts: readonly number[]): SharesChoice | undefined {
  if (held === 'off') return undefined;
  if (held === 'equal') return { source: 'equal', shares: equalShares(labelCounts.length) };
  if (held === 'labelled') return { source: 'labelled', shares: sharesOf(labelCounts) };
  return { source: 'given', shares: sharesOf(held) };
}

export const labelPropagation: Method<LabelPropagationSettings> = {
  ...supervised,
  title: 'Label propagation',
  settings,
  usesPseudoLabels: true,
  augmentation: 'mild',
  defaults: {
    name: 'label-propagation',
    batch: 112,
    refresh: 'once',
    balance: 'labelled',
    graph: { descriptors: [{ kind: 'hog', components: 64 }], neighbours: 5, spread: { alpha: 0.99, iterations: 60 } },
  },
  state: z.strictObject({
    mean: z.array(mean).max(1).optional(),
  }) as unknown as Method<LabelPropagationSettings>['state'],
  withOptions(of, { refresh, threshold, classShares }, data) {
    if (threshold !== undefined) throw withoutEffect('threshold', of.name);
    if (refresh === 'step') throw withoutEffect('refresh', of.name);
    if (classShares === 'auto' || classShares === 'estimate') throw withoutEffect('classShares', of.name);
    checkShares(classShares, data.classes);
    return {
      ...of,
      refresh: refresh === undefined ? of.refresh : stepsOfRefresh(refresh, of.batch, data),
      balance: classShares ?? of.balance,
    };
  },
  batch: ({ batch }) => batch,
  alpha: alphaOf,
  isRelabelling: ({ refresh }, step) => (refresh === 'once' ? step === 0 : step % refresh === 0),
  propagation: ({ graph, balance }, labelCounts) => ({
    ...graph,
    shares: balance === 'predicted' ? balance : heldShares(balance, labelCounts)?.shares,
  }),
  /** Keeps the mean weight. The factor is divided by it, so that rows weigh 1 on average. */
  relabelled: (_settings, _state, weights) => ({
    mean: [weights.reduce((sum, each) => sum + each, 0) / weights.length],
  }),
  choose(of, step, state, labelCounts) {
    const choice = step === 0 && of.balance !== 'predicted' ? heldShares(of.balance, labelCounts) : undefined;
    return choice && { choice, state };
  },
  rows(of, step, { mean: [mean = 0] = [] }) {
    const factor = mean > 0 ? alphaOf(of, step) / mean : 0;
    if (factor === 0) return undefined;
    return {
      batch: of.batch,
      factor,
      method: of.name,
      settings: {},
      pseudoLabels: 'stored',
      logitShift: undefined,
      masses: 'plain',
      noise: 0,
    };
  },
  targets: (_rows, { classes, confidences }) => ({ targets: classes, weights: confidences, statistics: [] }),
  shortened: (of, share) =>
    of.alpha ? { ...of, alpha: { ...of.alpha, t1: of.alpha.t1 * share, t2: of.alpha.t2 * share } } : of,
};
