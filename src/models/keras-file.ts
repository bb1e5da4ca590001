// Reads .keras files, which Keras 3 saves: a zip archive of a topology and of weights in HDF5.
import { type Archive, archiveOf } from '../data/sources/archive.js';
import { PseudolabelError } from '../errors.js';
import { MOST_JSON_BYTES, parseJson } from '../files/read.js';
import { hdf5Arrays } from './hdf5.js';
import { fromKeras3, groupsOf } from './keras-form.js';
import { describe } from './layers/describe.js';
import { type LayersModel, offsetsOf, parametersOf } from './layers/model.js';
import { nameOf } from './layers/topology.js';

export const KERAS_EXTENSION = '.keras';
const CONFIG = 'config.json';
const WEIGHTS = 'model.weights.h5';
/**
 * The size limit of the weights file: the most parameters of a model, four bytes each, and HDF5's own data about them.
 */
const MOST_WEIGHT_BYTES = 2 ** 32;

/** Reads a file as a network of layers, with its weights. Throws E_MODEL. */
export async function readKeras(
  path: string,
): Promise<{ readonly model: LayersModel; readonly parameters: Float32Array }> {
  try {
    const archive = await archiveOf(path);
    try {
      const config = await contentOf(archive, CONFIG, MOST_JSON_BYTES);
      const model = await describe(fromKeras3(parseJson(config.toString())));
      const parameters = await weightsIn(await contentOf(archive, WEIGHTS, MOST_WEIGHT_BYTES), model);
      if (!parameters.every(Number.isFinite)) throw new RangeError('it has weights that are not finite numbers');
      return { model, parameters };
    } finally {
      archive.close();
    }
  } catch (error) {
    if (error instanceof PseudolabelError && !error.code.startsWith('E_DATA')) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const fix =
      'give a Sequential or functional model of plain layers, as model.save("name.keras") of Keras 3 writes it';
    throw new PseudolabelError('E_MODEL', `${path} cannot be used as a model: ${reason}`, fix, { cause: error });
  }
}

async function contentOf({ entries }: Archive, name: string, most: number): Promise<Buffer> {
  const entry = entries.find((each) => each.name === name);
  if (!entry) throw new RangeError(`it has no ${name}`);
  if (entry.bytes > most) throw new RangeError(`its ${name} has more than ${most} bytes`);
  const parts: Buffer[] = [];
  for await (const part of entry.read()) parts.push(part);
  return Buffer.concat(parts);
}

/** Reads the weights. Keras numbers the weights of a layer: first those that it trains, then its statistics. */
async function weightsIn(bytes: Uint8Array, model: LayersModel): Promise<Float32Array> {
  const { layers } = model.topology.config;
  const stored = await hdf5Arrays(bytes, groupsOf(layers));
  const parameters = new Float32Array(parametersOf(model));
  const offsets = offsetsOf(model);
  for (const [l, layer] of layers.entries()) {
    const arrays = stored[l]!;
    const own = model.weights.flatMap((weight, w) =>
      weight.name.split('/').at(-2) === nameOf(layer) ? [{ ...weight, offset: offsets[w]! }] : [],
    );
    if (own.length !== arrays.length)
      throw new RangeError(`the layer ${nameOf(layer)} has ${arrays.length} weights where ${own.length} are needed`);
    for (const [i, { name, shape, offset }] of own.entries()) {
      const array = arrays[i]!;
      if (String(array.shape) !== String(shape))
        throw new RangeError(`weight ${name} is ${array.shape.join(' x ')} where ${shape.join(' x ')} is needed`);
      parameters.set(array.values, offset);
    }
  }
  return parameters;
}
