// The schemas of the files in a run directory, and of scaling.json. A report checks them, because somebody else may
// have written the files.
import { z } from 'zod';
import { MOST_CLASSES } from '../data/dataset.js';
import { METHOD_NAMES } from '../methods/methods.js';
import { SHARES, type Split } from '../scaling/time-split.js';
import type { Ramp } from '../training/alpha-ramp.js';
import { SCENARIOS } from '../training/scenario.js';
import { STAGE_NAMES } from '../training/stage.js';

const count = z.int().min(0);
const counts = z.array(count).readonly();
const stage = z.enum(STAGE_NAMES);
const share = z.number().min(0).max(1);
/** One byte per value, in base64. */
const pixels = z.base64();
const side = z.int().min(1).max(4096);
/** Older versions had grey images only. */
const size = { rows: side, columns: side, channels: z.int().min(1).max(4).default(1) };

const shares = z.array(share).max(MOST_CLASSES).readonly();

const sharesChoice = z.object({
  source: z.enum(['labelled', 'equal', 'estimate', 'given']),
  shares,
  survey: z.object({ estimate: shares, distance: z.number().min(0), limit: z.number().min(0) }).optional(),
});

export const METRIC = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('step'),
    stage,
    step: count,
    /** What the step minimised. Older versions did not write it. */
    loss: z.number().optional(),
    labelledLoss: z.number(),
    unlabelledLoss: z.number(),
    alpha: z.number(),
    counted: count,
    unlabelled: count.default(0),
    rows: count,
  }),
  z.object({
    kind: z.literal('labels'),
    stage,
    step: count,
    perClass: counts,
    flips: count,
    meanConfidence: share,
    confidences: counts.default([]),
    truth: z.object({ images: counts, right: counts }).optional(),
  }),
  sharesChoice.extend({ kind: z.literal('shares'), stage, step: count }),
  z.object({ kind: z.literal('validation'), stage, step: count, accuracy: share }),
  z.object({
    kind: z.literal('members'),
    stage,
    step: count,
    images: count,
    agreement: share,
    right: z.object({ each: z.array(share).readonly(), together: share }).optional(),
  }),
]);

export const DATA = z.object({
  name: z.string(),
  sha256: z.string(),
  classNames: z.array(z.string()).max(2 ** 16),
  size: z.object({ height: count, width: count, channels: count }).optional(),
  images: z.object({ train: count, known: count, labelled: count, validation: count, test: count }),
});

const RAMP: z.ZodType<Ramp> = z.object({
  stage,
  steps: count,
  stepsAtZero: count,
  last: z.number(),
  final: z.number(),
});

export const RESULT = z.object({
  scenario: z.enum(SCENARIOS),
  preset: z.string(),
  seed: z.number(),
  split: z.string(),
  splitSeed: z.number(),
  shards: count,
  workers: count,
  lostWorkers: count,
  ramp: RAMP.optional(),
  classShares: sharesChoice.optional(),
  steps: count,
  seconds: z.number(),
  secondsByPhase: z.record(z.string(), z.number()),
  imagesPerSecond: z.number(),
  validationAccuracy: share.optional(),
  testAccuracy: share.optional(),
  confusion: z.array(z.array(count)).optional(),
  weightsSha256: z.string(),
});

export const MISTAKES = z.object({
  ...size,
  images: z.array(z.object({ image: count, label: count, predicted: count, confidence: share, pixels })).max(1000),
});

export const RECONSTRUCTIONS = z.object({
  ...size,
  noise: z.number(),
  images: z.array(z.object({ original: pixels, noisy: pixels, reconstructed: pixels })).max(1000),
});

const VIEW_ROW = z.object({
  view: z.enum(['original', 'labelled', 'unlabelled', 'weak']),
  /** The step whose augmentation it is. If left out, the images are unchanged. */
  step: count.optional(),
  pixels: z.array(pixels).max(100).readonly(),
});

/** The same images unchanged, and augmented as the first stage that augments images does. */
export const VIEWS = z.object({
  ...size,
  sets: z
    .array(z.object({ stage, shown: z.array(VIEW_ROW).max(20).readonly() }))
    .max(20)
    .readonly(),
});

/** The images whose propagated label weighs least, the least certain first. known: the true label, for judging only. */
export const DOUBTFUL = z.object({
  ...size,
  stage,
  step: count,
  images: z
    .array(z.object({ name: z.string(), label: count, weight: share, known: count.optional(), pixels }))
    .max(1000)
    .readonly(),
});

export const MACHINE = z.record(z.string(), z.union([z.string(), z.number()]));

/** The options of a run, whatever they are; a report only shows them. */
export const CONFIG = z.looseObject({
  scenario: z.enum(SCENARIOS).default('pl'),
  method: z.enum(METHOD_NAMES).optional().catch(undefined),
});

export type MetricRecord = z.infer<typeof METRIC>;
export type StepRecord = Extract<MetricRecord, { kind: 'step' }>;
export type LabelsRecord = Extract<MetricRecord, { kind: 'labels' }>;
export type MembersRecord = Extract<MetricRecord, { kind: 'members' }>;
export type ViewsRecord = z.infer<typeof VIEWS>;
export type DoubtfulRecord = z.infer<typeof DOUBTFUL>;
export type ResultRecord = z.infer<typeof RESULT>;

/** A run as its directory holds it. undefined: the file does not exist (yet). */
export interface RunRecord {
  /** The name that tells it from other runs. */
  readonly name: string;
  readonly config: z.infer<typeof CONFIG>;
  readonly metrics: readonly MetricRecord[];
  /** Older versions did not write this file. */
  readonly data: z.infer<typeof DATA> | undefined;
  readonly result: ResultRecord | undefined;
  readonly mistakes: z.infer<typeof MISTAKES> | undefined;
  readonly reconstructions: z.infer<typeof RECONSTRUCTIONS> | undefined;
  /**
   * The augmented images, and those whose propagated labels are the least certain. Older versions did not write them.
   */
  readonly views?: ViewsRecord | undefined;
  readonly doubtful?: DoubtfulRecord | undefined;
  readonly machine: z.infer<typeof MACHINE> | undefined;
}

const estimate = z.object({ value: z.number(), low: z.number().optional(), high: z.number().optional() });
/** A part that an older version did not have took no time. */
const split = z.record(z.string(), z.number()).transform((parts): Split => {
  return Object.fromEntries(SHARES.map((share) => [share, parts[share] ?? 0])) as unknown as Split;
});
const undetermined = z.object({ kind: z.literal('undetermined'), needs: z.number(), has: z.number() });
const perCollective = z.object({ star: z.number(), tree: z.number() });

const row = z.object({
  workers: z.int().min(1),
  millisecondsPerStep: estimate,
  imagesPerSecond: estimate,
  speedUp: estimate,
  efficiency: estimate,
  serialFraction: z.number().optional(),
  split,
  splitError: z.number(),
  withoutCore: z.number(),
  wireBytes: z.number().default(0),
  loss: split,
  oneWorkerOfThreads: z.object({ millisecondsPerStep: estimate, speedUp: estimate }).optional(),
  doubts: z.array(z.string()),
});

const phase = z.object({
  phase: z.string().regex(/^[a-z]+$/),
  rounds: z.array(z.unknown()),
  traffic: z.record(z.string(), z.object({ moved: z.number() })),
  rows: z.array(row).min(1),
  amdahl: z
    .union([
      undetermined,
      z.object({ kind: z.literal('amdahl'), sigma: z.number(), error: z.number(), limit: z.number().optional() }),
    ])
    .optional(),
  universal: z
    .union([
      undetermined,
      z.object({
        kind: z.literal('universal'),
        sigma: z.number(),
        kappa: z.number(),
        error: z.number(),
        bestWorkers: z.number().optional(),
      }),
    ])
    .optional(),
  prediction: z
    .array(
      z.object({ nodes: z.number(), milliseconds: perCollective, speedUp: perCollective, efficiency: perCollective }),
    )
    .optional(),
});

export const SCALING = z.object({
  mode: z.enum(['strong', 'weak']),
  unit: z.enum(['workers', 'processes', 'ranks']).default('workers'),
  machine: z.object({ processor: z.string(), cores: z.int().min(1), load: z.number(), node: z.string() }),
  workload: z.object({
    preset: z.string(),
    strategy: z.string().default('data'),
    hidden: z.number(),
    seed: z.number(),
    steps: z.int().min(1),
  }),
  network: z.object({ nodes: z.number(), bitsPerSecond: z.number(), rttMilliseconds: z.number() }).optional(),
  phases: z.array(phase).min(1),
});
