// The options of a run: one schema for flags and files, their defaults, and the complete form that everything inside takes.
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { GRADIENT_CODECS } from '../collectives/gradient-codec.js';
import { AUGMENTATIONS, type AugmentationName } from '../data/augmentation.js';
import { DATA_OPTIONS } from '../data/options.js';
import { PseudolabelError } from '../errors.js';
import { SHARES_RULES, sharesSchema } from '../methods/class-balance.js';
import { METHOD_CHOICES } from './preset-method.js';
import { EFFORTS, MODERN } from './preset-modern.js';
import { SCENARIOS } from './scenario.js';
import { defaultShards } from './shards.js';
import { stagesSchema } from './stage-schema.js';

/** Of the report's four scenarios. */
export const PRESETS = ['best', 'paper', 'report'] as const;

/** Those, and the most that few labels give. */
export const ALL_PRESETS = ['modern', ...PRESETS] as const;

export const STRATEGIES = ['auto', 'data', 'tensor'] as const;

/** 2^16 is also what the kernel's tree of sums has room for. */
const MOST_SHARDS = 65536;

/** Of each class, where all labels are known. The paper's and the report's. */
export const DEFAULT_LABELS_PER_CLASS = 10;

const seed = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const count = z.int().min(1);
const hiddenUnits = z.int().min(16).max(65536);
const hiddenLayers = z.array(hiddenUnits).min(1).max(16);

/** What a user may say. Names are those of the flags, in camel case. */
export const optionsSchema = z.strictObject({
  scenario: z.enum(SCENARIOS).default('pl'),
  /** custom: the stages are the user's own. */
  preset: z.enum([...ALL_PRESETS, 'custom']).default('best'),
  /** How long the preset modern may take. Left out: normal. */
  effort: z.enum(EFFORTS).optional(),
  /** Shortens the preset to a trial of it. */
  quick: z.boolean().default(false),
  seed: seed.default(1),
  ...DATA_OPTIONS,
  /** Labelled images of each class; 'all': every label there is. Left out: 10, and 'all' where some labels are unknown. */
  labelsPerClass: z.union([z.literal('all'), count], { error: 'all, or a whole number from 1' }).optional(),
  split: z.enum(['first', 'random']).default('first'),
  splitSeed: seed.default(1),
  /** Images held out for tuning: their number, or a share of those that have a label, below 1. */
  validation: z
    .number()
    .min(0)
    .refine((value) => value < 1 || Number.isSafeInteger(value), 'a number of images, or a share below 1')
    .default(0),
  hidden: hiddenUnits.default(5000),
  /** dense:1024,512, a built-in network, or the path of a saved one (runs/network.ts). Left out: dense, of `hidden` units. */
  model: z.string().min(1).max(4096).optional(),
  /** A saved model, or the run that made it: the first stage starts from its weights, and without `model` trains its network (runs/start.ts). */
  start: z.string().min(1).max(4096).optional(),
  /** Networks of layers that are trained side by side and predict together (models/layers/model.ts). Left out: 1. */
  members: z.int().min(1).max(16).optional(),
  /** The weights in a saved network are drawn afresh. */
  fresh: z.boolean().optional(),
  workers: count.max(256).optional(),
  shards: count.max(MOST_SHARDS).optional(),
  /** How a step is cut over the workers (strategy-choice.ts). */
  strategy: z.enum(STRATEGIES).default('auto'),
  /** How sums of gradients travel between machines (collectives/gradient-codec.ts). */
  wire: z.enum(GRADIENT_CODECS).default('f32'),
  /** Ranks of an MPI job sum gradients in MPI's own order: the bits of a run then depend on their number. */
  fastSum: z.literal(true).optional(),
  /** Ends each stage after so many steps. */
  maxSteps: count.optional(),
  refresh: z.union([z.enum(['once', 'epoch', 'step']), count]).optional(),
  threshold: z.number().min(0).max(1).optional(),
  /** How unlabelled images teach in the preset best, in place of the scenario's pseudo-labels (training/preset-method.ts). */
  method: z.enum(METHOD_CHOICES).optional(),
  /** How images are changed when they are trained on (data/augment.ts). Left out: not at all, but where the method wants it. */
  augment: z.enum(Object.keys(AUGMENTATIONS) as [AugmentationName, ...AugmentationName[]]).optional(),
  /** What the classes among pseudo-labels are held to (methods/class-balance.ts). Left out: as the preset. */
  classShares: z.union([z.enum([...SHARES_RULES, 'off']), sharesSchema]).optional(),
  /** The user's own stages (preset custom), or what the other options came to when a run began (plan.ts). */
  stages: stagesSchema.optional(),
  /** Numbers of the stages by their paths (settings.ts). */
  set: z.record(z.string().max(200), z.unknown()).optional(),
  /** In steps. */
  checkpointEvery: count.default(500),
  /** And after so long, whatever the steps take: whoever is killed loses a minute at most. 0: by steps alone. */
  checkpointSeconds: z.number().min(0).default(45),
  keepCheckpoints: count.default(2),
});

export type Options = z.input<typeof optionsSchema>;

/** Complete and valid. */
export type RunConfig = Readonly<Omit<z.output<typeof optionsSchema>, 'workers' | 'shards'>> & {
  readonly workers: number;
  readonly shards: number;
};

/** Throws E_CONFIG, naming every option that is wrong. */
export function normalise(options: unknown): RunConfig {
  const parsed = optionsSchema.safeParse(withoutPrecision(options));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
    throw new PseudolabelError('E_CONFIG', problems.join('; '), 'see `pseudolabel train --help` for the options');
  }
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

/** Products were of floats or of bfloat16, and configs of before say which. Throws E_CONFIG for the latter. */
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

/** Whether a dense network with these hidden layers is one that can be trained. */
export const isTrainable = (units: readonly number[]): boolean => hiddenLayers.safeParse(units).success;

const DENSE = /^dense:(\d+(?:,\d+)*)$/;

/** Units of each hidden layer of a dense network; undefined where the model is another. Throws E_CONFIG. */
export function hiddenOf({ model, hidden }: Pick<RunConfig, 'model' | 'hidden'>): readonly number[] | undefined {
  if (model === undefined) return [hidden];
  const [, units] = DENSE.exec(model) ?? [];
  if (units === undefined) return undefined;
  const sizes = hiddenLayers.safeParse(units.split(',').map(Number));
  if (sizes.success) return sizes.data;
  const fix = 'give 1 to 16 layers of 16 to 65536 units: --model dense:1024,512';
  throw new PseudolabelError('E_CONFIG', `model: ${model} is no dense network that can be trained`, fix);
}

/** Options that shape the stages of a preset, and none of the user's own. */
const SHAPES_PRESETS = ['quick', 'refresh', 'threshold', 'classShares', 'augment', 'method'] as const;

/** Throws E_CONFIG for what has no effect, or not in that preset or scenario. */
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

/** Throws E_CONFIG for what has an effect in one of the presets alone. */
function checkModern({ preset, effort }: z.output<typeof optionsSchema>): void {
  if (preset === 'modern' || effort === undefined) return;
  throw new PseudolabelError('E_CONFIG', `effort: has no effect on the preset ${preset}`, 'add --preset modern');
}

/** What the preset modern trains where nobody says. */
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

/** What the weights of a run depend on, besides its data and its stages: not who computes it, nor when it is saved. */
export function identityOf(config: RunConfig): Record<string, unknown> {
  const { workers, checkpointEvery, checkpointSeconds, keepCheckpoints, stages, ...identity } = config;
  return Object.fromEntries(Object.entries(identity).filter(([option]) => !(option in DATA_OPTIONS)));
}
