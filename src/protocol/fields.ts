// The schemas of the fields of messages: numbers, bytes, a model, a step, results. Each is as strict as its type.

import { z } from 'zod';
import { GRADIENT_CODECS } from '../collectives/gradient-codec.js';
import { augmentationSchema, type StepAugmentation } from '../data/augmentation.js';
import { MOST_CLASSES } from '../data/dataset.js';
import type { OptimizerStep } from '../engine/optimizer.js';
import { ERROR_CODES, type ErrorCode } from '../errors.js';
import type { UnlabelledRows } from '../methods/method.js';
import { METHOD_NAMES, METHODS } from '../methods/methods.js';
import { denseSchema } from '../models/dense/model.js';
import { NUMERICS } from '../models/fingerprint.js';
import type { Model } from '../models/model.js';
import type { GradientResult, LabelledRows } from '../models/tasks.js';
import type { TensorStep } from '../models/tensor-tasks.js';
import type { ShardStep } from '../training/executor.js';
import { MOST_IMAGE_BYTES } from './limits.js';
import { bytesOf, labelsOf } from './tensor-codec.js';

/** The largest 32-bit float: (2 - 2^-23) * 2^127. */
const MOST_FLOAT = 3.4028234663852886e38;
/** A count. None is larger than what WebAssembly can address. */
export const count = z
  .int()
  .min(0)
  .max(2 ** 32);
export const request = z.int().min(1);
export const text = z.string().max(2 ** 12);
/** A number that may be infinite or NaN, such as the loss of a run that diverges. */
export const real = z.custom<number>((value) => typeof value === 'number', 'not a number');
/** A duration. The limit is about a year. */
export const milliseconds = z
  .number()
  .min(0)
  .max(2 ** 35);
/** A model, which the receiver parses and checks once (src/models/model-text.ts, worker/request-checks.ts). */
export const modelText = z.string().max(2 ** 20);
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Returns the schema of a list whose length is checked before its elements. */
export const list = <T>(element: z.ZodType<T>, most: number, least = 0) =>
  z
    .custom<unknown[]>((value) => Array.isArray(value) && value.length >= least && value.length <= most, {
      error: `not a list of ${least} to ${most} elements`,
      abort: true,
    })
    .pipe(z.array(element));
export const binary: z.ZodType<Uint8Array> = z.instanceof(Uint8Array);
export const wire = z.enum(GRADIENT_CODECS);
export const probability = z.number().min(0).max(1);
/** A number that a 32-bit float can hold. */
export const float = z.number().min(-MOST_FLOAT).max(MOST_FLOAT);

const momentum = z.strictObject({
  kind: z.literal('momentum'),
  a: float,
  b: float,
  c: float,
  nesterov: z.boolean().exactOptional(),
  keep: probability.exactOptional(),
});
const adam = z.strictObject({
  kind: z.literal('adam'),
  rate: float,
  beta1: probability,
  beta2: probability,
  epsilon: float,
  t: count,
  keep: probability.exactOptional(),
});
/** The numbers of gradients and of whole parameter vectors, which tensor shards do not have. */
const around = { clip: float.min(0).exactOptional(), average: probability.exactOptional() };

export const optimizer: z.ZodType<OptimizerStep> = z.discriminatedUnion('kind', [
  momentum.extend(around),
  adam.extend(around),
]);
/** The optimizer of tensor shards, which keep no average of the weights. */
const tensorOptimizer: z.ZodType<OptimizerStep> = z.discriminatedUnion('kind', [momentum, adam]);

export const tensorStep: z.ZodType<TensorStep> = z.strictObject({
  model: denseSchema,
  seed: count.max(Number.MAX_SAFE_INTEGER),
  stage: count,
  step: count,
  shards: count.min(1),
  labelledImages: binary,
  unlabelledBatch: count,
  labelsFresh: z.boolean(),
  noise: float.min(0).exactOptional(),
  optimizer: tensorOptimizer,
});

/** Tensor shards [first, end), as fields of a message. */
export const tensorShards = { first: count, end: count };

/** Logits, with floats as little-endian bytes. */
export const logits = z.strictObject({ logits: binary, clean: binary, activationBound: real, weightBound: real });

/** A result without its span, because the clocks of two machines differ. */
export const gradientResult: z.ZodType<Omit<GradientResult, 'span'>> = z
  .strictObject({
    rows: count,
    labelledLoss: real,
    unlabelledLoss: real,
    counted: count,
    // There are at most two for each class, and one for all.
    statistics: list(real, 2 * MOST_CLASSES + 1),
    finite: z.boolean(),
    milliseconds: z.strictObject({ input: milliseconds, forward: milliseconds, backward: milliseconds }),
  })
  .refine(
    ({ finite, labelledLoss, unlabelledLoss, statistics }) =>
      !finite || [labelledLoss, unlabelledLoss, ...statistics].every(Number.isFinite),
    'it says that it is finite, and is not',
  );

/** A prediction. Classes are u16 and confidences floats, as little-endian bytes. */
export const predictResult = z.strictObject({ classes: binary, confidences: binary, milliseconds });

export const shape = z
  .strictObject({
    pixels: count.min(1),
    unlabelled: count,
    evaluation: count,
    parameterCount: count.min(1),
    shards: count.min(1),
    workspaceBytes: count,
    tensorShardBytes: count,
    shardGroupBytes: count,
    averages: z.boolean(),
  })
  .refine(
    ({ pixels, unlabelled, evaluation }) => pixels * (unlabelled + evaluation) <= MOST_IMAGE_BYTES,
    'more images than a machine has memory for',
  );

/** What the bits of a run depend on, and a machine's fingerprint of it. */
export const numerics = z.enum(NUMERICS);
export const fingerprint = z.string().max(128);

/** A PseudolabelError, as fields of a message. */
export const failure = {
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  message: text,
  fix: text,
};

/**
 * A shard's step in a message, without its model, which is the same for all shards. A part that is left out is null,
 * because messages have no undefined. Floats are numbers, and labels are u16 as little-endian bytes.
 */
export type WireStep = Omit<ShardStep, 'model' | 'labelled' | 'unlabelled'> & {
  readonly labelled: (Omit<LabelledRows, 'labels'> & { readonly labels: Uint8Array }) | null;
  readonly unlabelled: (Omit<UnlabelledRows, 'logitShift'> & { readonly logitShift: readonly number[] | null }) | null;
};

type WireRows = NonNullable<WireStep['unlabelled']>;

/** The unlabelled rows of each method, which have settings of their own. */
const unlabelled = z.union(
  METHOD_NAMES.map((name) =>
    z.strictObject({
      batch: count,
      factor: float,
      method: z.literal(name),
      settings: METHODS[name].stepSettings,
      pseudoLabels: z.enum(['none', 'stored', 'fresh']),
      teacher: z.literal('average').exactOptional(),
      logitShift: list(float, MOST_CLASSES).nullable(),
      masses: z.enum(['plain', 'shifted']),
      noise: float.min(0),
    }),
  ) as unknown as [z.ZodType<WireRows>, ...z.ZodType<WireRows>[]],
);

const side = count.min(1).max(2 ** 16);
const augment: z.ZodType<StepAugmentation> = z.strictObject({
  height: side,
  width: side,
  channels: side,
  labelled: augmentationSchema.optional(),
  unlabelled: augmentationSchema.optional(),
  weak: augmentationSchema.optional(),
});

export const step: z.ZodType<WireStep> = z.strictObject({
  seed: count.max(Number.MAX_SAFE_INTEGER),
  stage: count,
  step: count,
  shard: count,
  shards: count.min(1),
  labelled: z.strictObject({ images: binary, labels: binary }).nullable(),
  labelledBatch: count,
  unlabelled: unlabelled.nullable(),
  augment: augment.exactOptional(),
});

export function toWire({ model: _, ...of }: ShardStep): WireStep {
  const shift = of.unlabelled?.logitShift;
  const unlabelled = of.unlabelled && { ...of.unlabelled, logitShift: shift ? [...shift] : null };
  const labelled = of.labelled && { ...of.labelled, labels: bytesOf(of.labelled.labels) };
  return { ...of, labelled: labelled ?? null, unlabelled: unlabelled ?? null };
}

export function fromWire(model: Model, of: WireStep): ShardStep {
  const shift = of.unlabelled?.logitShift;
  const logitShift = shift ? Float32Array.from(shift) : undefined;
  return {
    ...of,
    model,
    labelled: of.labelled ? { ...of.labelled, labels: labelsOf(of.labelled.labels) } : undefined,
    unlabelled: of.unlabelled ? { ...of.unlabelled, logitShift } : undefined,
  };
}
