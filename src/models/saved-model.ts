// Saved models: folders in the format of a tf.LayersModel (model.json, weights.bin), which plain TensorFlow.js loads as
// well.

import { dirname, join } from 'node:path';
import { z } from 'zod';
import { sha256OfParameters } from '../checksum.js';
import { PseudolabelError } from '../errors.js';
import { MOST_JSON_BYTES, parseJson, readBytes, Unreadable, whyNotRead } from '../files/read.js';
import { writeIn } from '../files/write.js';
import { isSystemError } from '../files/write-errors.js';
import type { DenseModel } from './dense/model.js';
import { modelOf } from './dense/model.js';
import { denseNames, outputOf, type Stack, TOPOLOGY, topologyOf } from './keras-topology.js';
import { MANIFEST, manifestOf, parametersOf, type Weight, weightPieces, weightsOf } from './keras-weights.js';
import { describe, parametersIn, savedWeights, weightBytes } from './layers/describe.js';
import { ensembleOf } from './layers/ensemble.js';
import type { LayersModel } from './layers/model.js';
import { withActivation } from './layers/topology.js';
import type { Model } from './model.js';
import { inputsOf, outputsOf } from './models.js';

/** The data set that a model was trained on. */
export interface ModelMeta {
  /** The size of an image in pixels. */
  readonly rows: number;
  readonly columns: number;
  /** The values of a pixel. Older models leave it out, because they take grey images only. */
  readonly channels?: number | undefined;
  readonly classes: number;
  /** The names in the order of the outputs. Older models have neither these nor the name of their data set. */
  readonly classNames?: readonly string[] | undefined;
  /** 'mnist', or the name of a folder. */
  readonly data?: string | undefined;
}

export interface SavedModel {
  readonly model: Model;
  /** The parameters as in the arena. */
  readonly parameters: Float32Array;
  /** undefined for a model that saveModel did not write. */
  readonly meta: ModelMeta | undefined;
}

const COUNT = z.int().positive();
const METADATA = z.object({
  objective: z.enum(['softmax', 'sigmoid', 'reconstruction']),
  rows: COUNT,
  columns: COUNT,
  channels: COUNT.optional(),
  classes: COUNT,
  classNames: z
    .array(z.string().max(200))
    .max(2 ** 16)
    .optional(),
  data: z.string().max(1000).optional(),
  /** These are for people who use the model elsewhere. */
  input: z.string().max(1000).optional(),
  output: z.string().max(1000).optional(),
  weightsSha256: z.string(),
  /** For an ensemble: the number of its members, and the topology of each. */
  members: z.strictObject({ count: z.int().min(2).max(16), topology: z.unknown() }).optional(),
});
type Metadata = z.infer<typeof METADATA>;
const MODEL_JSON = z.object({
  modelTopology: z.unknown(),
  weightsManifest: MANIFEST,
  userDefinedMetadata: z.object({ pseudolabel: METADATA.optional() }).nullish(),
});

/**
 * Saves a model to `folder`, replacing one that may be there.
 * @param parameters as in the arena
 * @throws PseudolabelError E_OUTPUT
 */
export async function saveModel(
  folder: string,
  model: Model,
  parameters: Float32Array,
  meta: ModelMeta,
): Promise<void> {
  const { json, pieces } = filesOf(model, parameters, meta);
  // The weights are written first, so that model.json always has its file; its checksum tells if the weights belong to
  // another save.
  await writeIn(folder, 'weights.bin', pieces);
  await writeIn(folder, 'model.json', `${JSON.stringify(json, undefined, 1)}\n`);
}

/**
 * Returns the content of model.json and the bytes of weights.bin. meta: undefined for a model that somebody else saved.
 */
export function filesOf(model: Model, parameters: Float32Array, meta: ModelMeta | undefined) {
  const json = {
    format: 'layers-model',
    generatedBy: 'pseudolabel',
    convertedBy: null,
    ...kerasForm(model),
    ...(meta && { userDefinedMetadata: { pseudolabel: metadataOf(model, parameters, meta) } }),
  };
  const pieces = model.kind === 'dense' ? weightPieces(model, parameters) : weightBytes(model, parameters);
  return { json, pieces };
}

function metadataOf(
  model: Model,
  parameters: Float32Array,
  { rows, columns, channels, classes, classNames, data }: ModelMeta,
): Metadata {
  const { objective } = model;
  const size = { rows, columns, channels, classes };
  const meaning = { input: inputOf(model, size), output: outputMeaning(objective, size) };
  const weightsSha256 = sha256OfParameters(parameters);
  const members = model.kind === 'layers' &&
    model.members !== undefined &&
    model.members > 1 && {
      members: { count: model.members, topology: withActivation(model.topology, objective) },
    };
  return { objective, ...size, classNames: classNames && [...classNames], data, ...meaning, weightsSha256, ...members };
}

/** Returns the topology and the list of weights of a model.json. */
function kerasForm(model: Model) {
  if (model.kind === 'dense')
    return { modelTopology: topologyOf(model), weightsManifest: manifestOf(model, denseNames(model), 'weights.bin') };
  const { objective, inputShape, members = 1 } = model;
  const weights = savedWeights(model).map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const }));
  const topology = withActivation(model.topology, objective);
  return {
    modelTopology: members === 1 ? topology : ensembleOf(topology, inputShape, members),
    weightsManifest: [{ paths: ['weights.bin'], weights }],
  };
}

/** Returns the size as text: 28 x 28, or 32 x 32 x 3. */
export const sizeText = ({ rows, columns, channels = 1 }: Pick<ModelMeta, 'rows' | 'columns' | 'channels'>): string =>
  `${rows} x ${columns}${channels === 1 ? '' : ` x ${channels}`}`;

/** Returns the number of values of an image. */
const valuesOf = ({ rows, columns, channels = 1 }: ModelMeta): number => rows * columns * channels;

function inputOf(model: Model, meta: ModelMeta): string {
  const { rows, columns, channels = 1 } = meta;
  if (model.kind === 'layers')
    return `float32 [n, ${model.inputShape.join(', ')}]: ${sizeText(meta)} pixels an image, each value from 0 to 1 (byte / 255)`;
  const each = channels === 1 ? 'each' : `each of ${channels} values (red, green, blue)`;
  return `float32 [n, ${valuesOf(meta)}]: ${rows} x ${columns} pixels an image, row by row from the top left, ${each} from 0 to 1 (byte / 255)`;
}

function outputMeaning(objective: Model['objective'], meta: ModelMeta): string {
  const { classes } = meta;
  const kinds = {
    softmax: `float32 [n, ${classes}]: probabilities of the classes, in the order of classNames; they sum to 1`,
    sigmoid: `float32 [n, ${classes}]: a score from 0 to 1 of each class, in the order of classNames; the largest is the prediction`,
    reconstruction: `float32 [n, ${valuesOf(meta)}]: the pixels again, from 0 to 1`,
  };
  return kinds[objective];
}

/**
 * Loads a model from a folder with a model.json: one that saveModel wrote, or any tf.LayersModel of layers that can be
 * trained here (layers/topology.ts) and weights of 32-bit floats. Dense layers with relu become a dense network.
 * @throws PseudolabelError E_MODEL
 */
export function loadModel(folder: string): Promise<SavedModel> {
  return readModel(join(folder, 'model.json'), denseOrLayers);
}

/** Loads any saved model as a network of layers. path: of its model.json. Throws E_MODEL. */
export async function readLayers(
  path: string,
): Promise<{ readonly model: LayersModel; readonly parameters: Float32Array }> {
  const { model, parameters } = await readModel(path, layersOf);
  return { model: model as LayersModel, parameters };
}

/** The contents of a saved model's files. */
interface Contents {
  readonly topology: unknown;
  readonly weights: ReadonlyMap<string, Weight>;
  readonly floats: Float32Array;
  readonly metadata: Metadata | undefined;
}

type Parsed = Pick<SavedModel, 'model' | 'parameters'>;

async function denseOrLayers(contents: Contents): Promise<Parsed> {
  const { topology, weights, floats, metadata } = contents;
  const stack = TOPOLOGY.safeParse(topology);
  if (!stack.success) return layersOf(contents);
  const model = denseOf(stack.data, weights, metadata);
  const names = stack.data.layers.map(({ name }) => name);
  return { model, parameters: parametersOf(model, names, weights, floats) };
}

async function layersOf({ topology, weights, floats, metadata }: Contents): Promise<Parsed> {
  const { members } = metadata ?? {};
  const model = members ? { ...(await describe(members.topology)), members: members.count } : await describe(topology);
  return { model, parameters: parametersIn(model, weights, floats) };
}

async function readModel(path: string, parse: (contents: Contents) => Promise<Parsed>): Promise<SavedModel> {
  const folder = dirname(path);
  const { modelTopology: topology, weightsManifest, userDefinedMetadata } = await readJson(path);
  const metadata = userDefinedMetadata?.pseudolabel;
  const weights = weightsOf(weightsManifest);
  const files = weightsManifest.flatMap(({ paths }) => paths.map((name) => join(folder, name)));
  const floats = await readFloats(files, [...weights.values()].at(-1)?.end ?? 0);
  try {
    const { model, parameters } = await parse({ topology, weights, floats, metadata });
    if (!parameters.every(Number.isFinite)) throw new RangeError('it has weights that are not finite numbers');
    if (metadata === undefined) return { model, parameters, meta: undefined };
    checkSame(metadata, model, parameters);
    const { rows, columns, channels, classes, classNames, data } = metadata;
    return { model, parameters, meta: { rows, columns, channels, classes, classNames, data } };
  } catch (error) {
    throw error instanceof RangeError ? unusable(path, whyNotRead(error), error) : error;
  }
}

function denseOf(
  { layers, inputDropout, output }: Stack,
  weights: ReadonlyMap<string, Weight>,
  metadata?: Metadata,
): DenseModel {
  const inputs = weights.get(`${layers[0]?.name}/kernel`)?.shape[0] ?? 0;
  const dropout = layers.map((layer) => layer.dropout);
  const objective = metadata?.objective ?? output;
  const model = modelOf([inputs, ...layers.map(({ units }) => units)], { inputDropout, dropout, objective });
  if (outputOf(model) !== output) throw new RangeError(`it ends in ${output} where ${objective} is declared`);
  return model;
}

/** Checks that the weights are those that were saved, and that they fit the declared images. */
function checkSame(metadata: Metadata, model: Model, parameters: Float32Array): void {
  const { classes, classNames, weightsSha256 } = metadata;
  const inputs = inputsOf(model);
  const outputs = outputsOf(model);
  if (inputs !== valuesOf(metadata) || outputs !== (model.objective === 'reconstruction' ? inputs : classes)) {
    const images = `${sizeText(metadata)} pixels and ${classes} classes`;
    throw new RangeError(`it has ${inputs} inputs and ${outputs} outputs where ${images} are declared`);
  }
  if (classNames && new Set(classNames).size !== classes)
    throw new RangeError(`it has ${new Set(classNames).size} class names for ${classes} classes`);
  if (sha256OfParameters(parameters) !== weightsSha256) throw new RangeError('its weights do not match their checksum');
}

async function readJson(path: string): Promise<z.infer<typeof MODEL_JSON>> {
  const json = await readWithin(path, MOST_JSON_BYTES);
  try {
    return MODEL_JSON.parse(parseJson(json.toString()));
  } catch (error) {
    throw unusable(path, problemsOf(error), error);
  }
}

function problemsOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : String(error);
  return error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': ')).join('; ');
}

/** Reads the floats of the files, one file after the other; there must be exactly `length`. */
async function readFloats(paths: readonly string[], length: number): Promise<Float32Array> {
  const parts: Buffer[] = [];
  let missing = 4 * length;
  for (const path of paths) {
    const part = await readWithin(path, missing);
    parts.push(part);
    missing -= part.length;
  }
  if (missing > 0)
    throw unusable(paths.join(', '), `${missing} bytes are missing of ${4 * length} that model.json declares`);
  const floats = new Float32Array(length);
  const bytes = new Uint8Array(floats.buffer);
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  return floats;
}

/**
 * Reads a file of limited size.
 * @param most bytes; a longer file is refused before memory is allocated for it
 */
async function readWithin(path: string, most: number): Promise<Buffer> {
  try {
    return await readBytes(path, most);
  } catch (error) {
    if (error instanceof Unreadable) throw unusable(path, `it ${error.message}`, error);
    throw isSystemError(error) ? unusable(path, error.message, error) : error;
  }
}

function unusable(path: string, reason: string, cause?: unknown): PseudolabelError {
  const fix = 'Give a folder that pseudolabel saved a model to, or TensorFlow.js a Sequential model of Dense layers.';
  return new PseudolabelError('E_MODEL', `${path} cannot be used as a model: ${reason}`, fix, { cause });
}
