// A dense network: its description, and the place of each parameter in the flat vector. Every matrix is units-major,
// [units, inputs], so that a range of units is one contiguous range of the vector.

import { z } from 'zod';
import { aligned } from '../../engine/space.js';
import { keyOf, Stream } from '../../random.js';
import { OBJECTIVES, type Objective } from '../objective.js';

/**
 * One layer. A hidden layer is ReLU with inverted dropout of rate `dropout`. The loss defines the last layer's
 * function.
 */
export interface Layer {
  readonly inputs: number;
  readonly units: number;
  readonly dropout: number;
}

/** Dense layers, [units, inputs] each. The hidden ones are ReLU with inverted dropout. */
export interface DenseModel {
  readonly kind: 'dense';
  readonly layers: readonly Layer[];
  /** The dropout rate of the inputs ("visible units"). */
  readonly inputDropout: number;
  readonly objective: Objective;
}

const size = z
  .int()
  .min(1)
  .max(2 ** 24);
const dropout = z.number().min(0).lt(1);
const MOST_LAYERS = 64;

export const denseSchema = z
  .strictObject({
    kind: z.literal('dense'),
    // The length of a list is checked before its elements are read.
    layers: z
      .custom<unknown[]>((value) => Array.isArray(value) && value.length >= 1 && value.length <= MOST_LAYERS, {
        error: `not a list of 1 to ${MOST_LAYERS} layers`,
        abort: true,
      })
      .pipe<z.ZodType<readonly Layer[], unknown[]>>(z.array(z.strictObject({ inputs: size, units: size, dropout }))),
    inputDropout: dropout,
    objective: z.enum(OBJECTIVES),
  })
  .refine(
    ({ layers }) => layers.every(({ inputs }, l) => l === 0 || inputs === layers[l - 1]!.units),
    'a layer has not as many inputs as the one before has units',
  );

/** Offsets in floats. */
export interface ParameterOffsets {
  readonly kernel: number;
  readonly bias: number;
}

export interface Layout {
  readonly places: readonly ParameterOffsets[];
  /** The length of the parameter vector in floats, with the padding between its parts, which stays 0. */
  readonly length: number;
}

export function layoutOf(model: DenseModel): Layout {
  const places: ParameterOffsets[] = [];
  let length = 0;
  for (const { inputs, units } of model.layers) {
    const bias = length + aligned(inputs * units);
    places.push({ kernel: length, bias });
    length = bias + aligned(units);
  }
  return { places, length };
}

/** Returns the addresses of a layer's parameters in a vector that begins at this address. */
export function addressesIn(vector: number, model: DenseModel, layer: number): ParameterOffsets {
  const { kernel, bias } = layoutOf(model).places[layer]!;
  return { kernel: vector + kernel * 4, bias: vector + bias * 4 };
}

/** Makes a model. widths: the inputs, then the units of each layer. dropout: the rate of each hidden layer. */
export function modelOf(
  widths: readonly number[],
  options: { inputDropout: number; dropout: readonly number[]; objective: Objective },
): DenseModel {
  const layers = widths.slice(1).map((units, l) => ({ inputs: widths[l]!, units, dropout: options.dropout[l] ?? 0 }));
  return { kind: 'dense', layers, inputDropout: options.inputDropout, objective: options.objective };
}

/**
 * Draws the report's initial state from the seed: Glorot-uniform kernels (Glorot & Bengio 2010, eq. 16), and biases of
 * 0.
 */
export function initialParameters(model: DenseModel, seed: number, stage: number): Float32Array {
  const { places, length } = layoutOf(model);
  const parameters = new Float32Array(length);
  model.layers.forEach(({ inputs, units }, l) => {
    const stream = new Stream(keyOf(seed, 'init', stage, l));
    const limit = Math.sqrt(6 / (inputs + units));
    const { kernel } = places[l]!;
    for (let i = 0; i < inputs * units; i++) parameters[kernel + i] = (2 * stream.uniform() - 1) * limit;
  });
  return parameters;
}
