// Reads the stages of a training from JSON and checks them. A run writes this JSON into its config.json.
import { z } from 'zod';
import { augmentationSchema } from '../data/augmentation.js';
import { methodOf, methodSchema } from '../methods/methods.js';
import { modelSchema } from '../models/model.js';
import type { MomentumSchedule, RateSchedule } from './schedule.js';
import { type Optimizer, STAGE_NAMES, type Stage } from './stage.js';

/**
 * The largest number of anything. It is far above any recipe, and too small to do harm as a number of steps in an array
 * or a file.
 */
const MOST = 1e9;

const positive = z.number().positive().max(MOST);
const atLeast0 = z.number().min(0).max(MOST);
const count = z.int().min(1).max(MOST);
/** The schema of rates of dropout, momenta and betas. */
const below1 = z.number().min(0).lt(1);

const warmup = { warmup: atLeast0.optional() };
const rate: z.ZodType<RateSchedule> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), value: atLeast0, ...warmup }),
  z.strictObject({ kind: z.literal('decay'), initial: atLeast0, factor: positive, every: positive, ...warmup }),
  z.strictObject({ kind: z.literal('step'), initial: atLeast0, factor: positive, every: positive, ...warmup }),
  z.strictObject({ kind: z.literal('cosine'), initial: atLeast0, final: atLeast0, ...warmup }),
]);

const momentum: z.ZodType<MomentumSchedule> = z.strictObject({
  initial: below1,
  final: below1,
  over: atLeast0,
  every: positive,
});

const decay = { weightDecay: atLeast0.optional() };
const optimizer: z.ZodType<Optimizer> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('adam'), beta1: below1, beta2: below1, epsilon: positive, ...decay }),
  z.strictObject({
    kind: z.literal('sgd'),
    momentum: below1.optional(),
    nesterov: z.boolean().optional(),
    ...decay,
  }),
  z.strictObject({ kind: z.literal('dampened'), momentum, ...decay }),
]);

const stage: z.ZodType<Stage> = z
  .strictObject({
    name: z.enum(STAGE_NAMES),
    model: modelSchema,
    steps: count,
    labelledBatch: z.int().min(0).max(MOST),
    method: methodSchema,
    augment: z
      .strictObject({
        labelled: augmentationSchema.optional(),
        unlabelled: augmentationSchema.optional(),
        weak: augmentationSchema.optional(),
      })
      .optional(),
    optimizer,
    average: below1.optional(),
    rate,
    clip: positive.optional(),
    start: z.enum(['fresh', 'previous', 'first-layer']),
  })
  .refine(
    ({ model, method }) => (model.objective === 'reconstruction') === methodOf(method).reconstructs,
    'the method trains a reconstruction and the model is a classifier, or the other way round',
  )
  .refine(
    ({ method, average }) => !methodOf(method).usesAverage || average !== undefined,
    'the method predicts by the average of the weights: the stage needs `average`, as 0.99',
  );

export const stagesSchema: z.ZodType<readonly Stage[]> = z
  .array(stage)
  .min(1)
  .max(16)
  .refine(([first]) => first?.start === 'fresh', 'the first stage has to start fresh')
  .refine((stages) => new Set(stages.map(({ name }) => name)).size === stages.length, 'two stages have one name');

/** The fix of an error about a number of a stage. */
export const STAGE_LIMITS = 'see `pseudolabel preset --schema` for the limits';

/**
 * Returns the place of a number in a list of stages: 'finetune.steps', or 'stages.0.steps' if the stage has no name.
 */
export function placeInStages(stages: unknown, [position, ...within]: readonly PropertyKey[]): string {
  if (position === undefined) return 'stages';
  const stage: unknown = Array.isArray(stages) ? stages[Number(position)] : undefined;
  const isNamed = typeof stage === 'object' && stage !== null && 'name' in stage && typeof stage.name === 'string';
  return [isNamed && within[0] !== 'name' ? stage.name : `stages.${String(position)}`, ...within].join('.');
}

/** Returns the JSON Schema of a file of stages, for editors and other programs. */
export const stagesJsonSchema = (): unknown => {
  const { $schema, ...stages } = z.toJSONSchema(stagesSchema, { io: 'output' });
  return {
    $schema,
    title: 'Stages of a training by pseudolabel',
    type: 'object',
    properties: { scenario: {}, stages },
  };
};
