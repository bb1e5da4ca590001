// The options of a run: one schema for flags and files, the defaults, and the complete form that all other code takes.

import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { GRADIENT_CODECS } from '../collectives/gradient-codec.js';
import { MOST_SHARDS } from '../collectives/tree.js';
import { AUGMENTATIONS, type AugmentationName } from '../data/augmentation.js';
import { DATA_OPTIONS } from '../data/options.js';
import { PseudolabelError } from '../errors.js';
import { SHARES_RULES, sharesSchema } from '../methods/class-balance.js';
import { MODERN } from './presets/modern.js';
import { ALL_PRESETS } from './presets/presets.js';
import { EFFORTS } from './presets/shared.js';
import { METHOD_CHOICES } from './presets/with-method.js';
import { SCENARIOS } from './scenario.js';
import { defaultShards } from './shards.js';
import { placeInStages, STAGE_LIMITS, stagesSchema } from './stage-schema.js';

export const STRATEGIES = ['auto', 'data', 'tensor'] as const;

/** The labelled images of each class if all labels are known. The paper and the report use this number. */
export const DEFAULT_LABELS_PER_CLASS = 10;

const seed = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const count = z.int().min(1);
const hiddenUnits = z.int().min(16).max(65536);
const hiddenLayers = z.array(hiddenUnits).min(1).max(16);

/** The schema of what a user may set. The names are those of the flags, in camel case. */
export const optionsSchema = z.strictObject({
  scenario: z.enum(SCENARIOS).default('pl'),
  /** custom: the stages are the user's own. */
  preset: z.enum([...ALL_PRESETS, 'custom']).default('best'),
  /** How long the preset modern may take. Defaults to normal. */
  effort: z.enum(EFFORTS).optional(),
  /** Shortens every stage of the preset, for a trial. */
  quick: z.boolean().default(false),
  seed: seed.default(1),
  ...DATA_OPTIONS,
  /**
   * The labelled images of each class. 'all' means every known label. Defaults to 10, or to 'all' if some labels are
   * unknown.
   */
  labelsPerClass: z.union([z.literal('all'), count], { error: 'all, or a whole number from 1' }).optional(),
  split: z.enum(['first', 'random']).default('first'),
  splitSeed: seed.default(1),
  /** The images held out for tuning: a number, or a share below 1 of the images that have a label. */
  validation: z
    .number()
    .min(0)
    .refine((value) => value < 1 || Number.isSafeInteger(value), 'a number of images, or a share below 1')
    .default(0),
  hidden: hiddenUnits.default(5000),
  /**
   * dense:1024,512, the name of a built-in network, or the path of a saved one (runs/network.ts). Defaults to a dense
   * network of `hidden` units.
   */
  model: z.string().min(1).max(4096).optional(),
  /**
   * A saved model, or the run that made it. The first stage starts from its weights, and trains its network if there is
   * no `model` (runs/start.ts).
   */
  start: z.string().min(1).max(4096).optional(),
  /**
   * The number of networks of layers that are trained side by side and predict together (models/layers/model.ts).
   * Defaults to 1.
   */
  members: z.int().min(1).max(16).optional(),
  /** Draws the weights of a saved network anew. */
  fresh: z.boolean().optional(),
  workers: count.max(256).optional(),
  shards: count.max(MOST_SHARDS).optional(),
  /** How a step is split over the workers (strategy-choice.ts). */
  strategy: z.enum(STRATEGIES).default('auto'),
  /** The encoding of sums of gradients that machines send to each other (collectives/gradient-codec.ts). */
  wire: z.enum(GRADIENT_CODECS).default('f32'),
  /** The ranks of an MPI job sum gradients in MPI's own order. The bits of a run then depend on the number of ranks. */
  fastSum: z.literal(true).optional(),
  /** Ends each stage after this number of steps. */
  maxSteps: count.optional(),
  refresh: z.union([z.enum(['once', 'epoch', 'step']), count]).optional(),
  threshold: z.number().min(0).max(1).optional(),
  /**
   * How unlabelled images teach in the preset best, instead of the scenario's pseudo-labels
   * (training/presets/with-method.ts).
   */
  method: z.enum(METHOD_CHOICES).optional(),
  /** How images are augmented in training (data/augment.ts). Defaults to none, unless the method needs augmentation. */
  augment: z.enum(Object.keys(AUGMENTATIONS) as [AugmentationName, ...AugmentationName[]]).optional(),
  /**
   * The shares that the classes among pseudo-labels are held to (methods/class-balance.ts). Defaults to the preset's.
   */
  classShares: z.union([z.enum([...SHARES_RULES, 'off']), sharesSchema]).optional(),
  /** The user's own stages (preset custom), or the stages that the other options gave when the run began (plan.ts). */
  stages: stagesSchema.optional(),
  /** Numbers of the stages by their paths (settings.ts). */
  set: z.record(z.string().max(200), z.unknown()).optional(),
  /** Steps between two checkpoints. */
  checkpointEvery: count.default(500),
  /**
   * Seconds after which a checkpoint is written in any case, so that a killed run loses a minute at most. 0: by steps
   * alone.
   */
  checkpointSeconds: z.number().min(0).default(45),
  keepCheckpoints: count.default(2),
});

export type Options = z.input<typeof optionsSchema>;

/** Options that are complete and valid. */
export type RunConfig = Readonly<Omit<z.output<typeof optionsSchema>, 'workers' | 'shards'>> & {
  readonly workers: number;
  readonly shards: number;
};

/** Fills in the defaults. Throws E_CONFIG, which names every option that is wrong. */
export function normalise(options: unknown): RunConfig {
  const parsed = optionsSchema.safeParse(withoutPrecision(options));
  if (!parsed.success) throw invalid(parsed.error.issues, options);
  checkCustom(parsed.data);
  checkMethod(parsed.data);
  checkModern(parsed.data);
  const workers = parsed.data.workers ?? availableParallelism();
  return {
    ...parsed.data,
    ...modernNetwork(parsed.data),
    workers,
    shards: parsed.data.shards ?? defaultShards(parsed.data),
  };
}

/** Returns the error that names every option, and every number of a stage, that is wrong. */
function invalid(issues: readonly z.core.$ZodIssue[], options: unknown): PseudolabelError {
  const isInStages = ({ path }: z.core.$ZodIssue): boolean => path[0] === 'stages';
  const stages = typeof options === 'object' && options !== null && 'stages' in options ? options.stages : undefined;
  const problems = issues.map((issue) => {
    const place = isInStages(issue) ? placeInStages(stages, issue.path.slice(1)) : issue.path.join('.') || 'options';
    return `${place}: ${issue.message}`;
  });
  const fix = issues.every(isInStages) ? STAGE_LIMITS : 'see `pseudolabel train --help` for the options';
  return new PseudolabelError('E_CONFIG', problems.join('; '), fix);
}

/**
 * Removes the option `precision` from older configs, whose products were of f32 or bfloat16. Throws E_CONFIG for
 * bfloat16.
 */
function withoutPrecision(options: unknown): unknown {
  if (typeof options !== 'object' || options === null || !('precision' in options)) return options;
  const { precision, ...others } = options;
  if (precision === 'f32') return others;
  throw new PseudolabelError(
    'E_CONFIG',
    `precision: products are of floats (f32), and no longer of ${String(precision)}`,
    'leave it out; a run that began in bf16 goes on with the version of pseudolabel that began it',
  );
}

/** Returns whether a dense network with these hidden layers can be trained. */
export const isTrainable = (units: readonly number[]): boolean => hiddenLayers.safeParse(units).success;

const DENSE = /^dense:(\d+(?:,\d+)*)$/;

/**
 * Returns the units of each hidden layer of a dense network, or undefined if the model is another one. Throws E_CONFIG.
 */
export function hiddenOf({ model, hidden }: Pick<RunConfig, 'model' | 'hidden'>): readonly number[] | undefined {
  if (model === undefined) return [hidden];
  const [, units] = DENSE.exec(model) ?? [];
  if (units === undefined) return undefined;
  const sizes = hiddenLayers.safeParse(units.split(',').map(Number));
  if (sizes.success) return sizes.data;
  const fix = 'give 1 to 16 layers of 16 to 65536 units: --model dense:1024,512';
  throw new PseudolabelError('E_CONFIG', `model: ${model} is no dense network that can be trained`, fix);
}

/** The options that shape the stages of a preset, and do nothing to the user's own. */
const SHAPES_PRESETS = ['quick', 'refresh', 'threshold', 'classShares', 'augment', 'method'] as const;

/** Throws E_CONFIG for a method that has no effect in that preset or scenario. */
function checkMethod({ method, preset, scenario }: z.output<typeof optionsSchema>): void {
  if (method === undefined || preset === 'custom') return;
  if (preset !== 'best')
    throw new PseudolabelError(
      'E_CONFIG',
      `method: the preset ${preset} has its own`,
      'leave --method or --preset out',
    );
  if (scenario !== 'pl' && scenario !== 'dae')
    throw new PseudolabelError('E_CONFIG', `method: has no effect on the scenario ${scenario}`, 'leave --scenario out');
}

/** Throws E_CONFIG for an option that has an effect in one of the presets only. */
function checkModern({ preset, effort }: z.output<typeof optionsSchema>): void {
  if (preset === 'modern' || effort === undefined) return;
  throw new PseudolabelError('E_CONFIG', `effort: has no effect on the preset ${preset}`, 'add --preset modern');
}

/** Returns the network that the preset modern trains by default. */
function modernNetwork({ preset, model, members, effort = 'normal', start }: z.output<typeof optionsSchema>) {
  if (preset !== 'modern' || model !== undefined || start !== undefined) return {};
  return { model: 'convnet', members: members ?? MODERN[effort].members };
}

function checkCustom(options: z.output<typeof optionsSchema>): void {
  if (options.preset !== 'custom') return;
  const idle = SHAPES_PRESETS.find((name) => options[name] !== undefined && options[name] !== false);
  if (idle === undefined) return;
  const fix = 'leave it out, and change the number in the stages, or by --set';
  throw new PseudolabelError('E_CONFIG', `${idle}: has no effect on stages of your own (preset custom)`, fix);
}
