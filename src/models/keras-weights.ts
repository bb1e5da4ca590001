// The weights of a tf.LayersModel: where each of them is in its files. They are in Keras' order, in which a kernel is
// [inputs, units].
import { z } from 'zod';
import type { DenseModel } from './dense/model.js';
import { layoutOf } from './dense/model.js';

const WEIGHT = z.object({
  name: z.string(),
  shape: z.array(z.int().positive()).max(6),
  dtype: z.literal('float32'),
  quantization: z.undefined({ error: 'quantized weights cannot be used' }).optional(),
});
const PATH = z.string().regex(/^[^/\\]+$/, 'must be the name of a file in the same folder');

/** The weightsManifest of a model.json. The weights are one after the other in the files, which are read as one. */
export const MANIFEST = z
  .array(z.object({ paths: z.array(PATH), weights: z.array(WEIGHT) }))
  .refine((groups) => isDistinct(groups.flatMap(({ paths }) => paths)), 'a file is named twice')
  .refine(
    (groups) => isDistinct(groups.flatMap(({ weights }) => weights.map(({ name }) => name))),
    'a weight is named twice',
  );
const isDistinct = (names: readonly string[]): boolean => new Set(names).size === names.length;
export type Manifest = z.infer<typeof MANIFEST>;

/**
 * Returns the manifest of a model whose weights are in one file.
 * @param names of the Dense layers
 */
export function manifestOf(model: DenseModel, names: readonly string[], file: string): Manifest {
  const weights = model.layers.flatMap(({ inputs, units }, l) => [
    { name: `${names[l]}/kernel`, shape: [inputs, units], dtype: 'float32' as const },
    { name: `${names[l]}/bias`, shape: [units], dtype: 'float32' as const },
  ]);
  return [{ paths: [file], weights }];
}

/**
 * Yields the bytes of the file that manifestOf(model) describes.
 * @param parameters as layoutOf(model) places them
 */
export function* weightPieces(model: DenseModel, parameters: Float32Array): Generator<Uint8Array> {
  const { places } = layoutOf(model);
  for (const [l, { inputs, units }] of model.layers.entries()) {
    const { kernel, bias } = places[l]!;
    const matrix = transposed(parameters.subarray(kernel, kernel + units * inputs), units, inputs);
    yield new Uint8Array(matrix.buffer);
    yield new Uint8Array(parameters.buffer, parameters.byteOffset + 4 * bias, 4 * units);
  }
}

export interface Weight {
  readonly shape: readonly number[];
  /** Where the weight begins and ends in the files, in floats. */
  readonly start: number;
  readonly end: number;
}

/** Returns the weights by name, in the order of the files. */
export function weightsOf(manifest: Manifest): ReadonlyMap<string, Weight> {
  let end = 0;
  const place = (shape: readonly number[]): Weight => {
    const start = end;
    end += shape.reduce((product, size) => product * size, 1);
    return { shape, start, end };
  };
  return new Map(manifest.flatMap(({ weights }) => weights.map(({ name, shape }) => [name, place(shape)])));
}

/**
 * Reads the parameters from the files.
 * @param floats the files' content
 * @param names of the Dense layers
 * @returns the parameters as layoutOf(model) places them
 * @throws RangeError naming a weight that is missing or of another shape
 */
export function parametersOf(
  model: DenseModel,
  names: readonly string[],
  weights: ReadonlyMap<string, Weight>,
  floats: Float32Array,
): Float32Array {
  const valuesOf = (name: string, shape: readonly number[]): Float32Array => {
    const weight = weights.get(name);
    if (weight === undefined) throw new RangeError(`it has no weight ${name}`);
    if (String(weight.shape) !== String(shape)) {
      throw new RangeError(`weight ${name} is ${weight.shape.join(' x ')} where ${shape.join(' x ')} is needed`);
    }
    return floats.subarray(weight.start, weight.end);
  };
  // All of them are looked up first, because a layer may claim more units than memory has room for.
  const values = model.layers.map(({ inputs, units }, l) => ({
    matrix: valuesOf(`${names[l]}/kernel`, [inputs, units]),
    biases: valuesOf(`${names[l]}/bias`, [units]),
  }));
  const { places, length } = layoutOf(model);
  const parameters = new Float32Array(length);
  for (const [l, { inputs, units }] of model.layers.entries()) {
    const { kernel, bias } = places[l]!;
    parameters.set(transposed(values[l]!.matrix, inputs, units), kernel);
    parameters.set(values[l]!.biases, bias);
  }
  return parameters;
}

/** Transposes a matrix [rows, columns] to [columns, rows]. */
function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = matrix[r * columns + c]!;
  }
  return result;
}
