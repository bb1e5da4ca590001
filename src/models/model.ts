// Owns the description of a model and where each of its parameters lies in the flat parameter vector.
// Every matrix is units-major, [units, inputs], so that a range of units is one contiguous range of the vector.
import { keyOf, Stream } from '../random.js';

/** One dense layer. Hidden layers are ReLU with inverted dropout of rate `dropout`; the last layer's function is the loss's. */
export interface Layer {
  readonly inputs: number;
  readonly units: number;
  readonly dropout: number;
}

export type Objective = 'softmax' | 'sigmoid' | 'reconstruction';

/**
 * What products read and write: floats, or bfloat16, the upper half of a float, whose products are computed twice as fast where the
 * processor has them. Parameters, moments, losses and the sums within a product are floats always. Emulated products of bfloat16 are for
 * tests: slower than those of floats, on any processor, and not always with the bits of its own products, which may sum in another order.
 */
export type Precision = 'f32' | 'bf16' | 'bf16-emulated';

export interface Model {
  readonly layers: readonly Layer[];
  /** Dropout rate of the inputs ("visible units"). */
  readonly inputDropout: number;
  /**
   * What the output layer computes and is trained for: softmax with its cross-entropy, independent sigmoids with theirs (Lee 2013, section "Deep Neural Networks"),
   * or sigmoids that reconstruct the clean input (binary cross-entropy, mean over pixels).
   */
  readonly objective: Objective;
  /** f32 where it is left out. */
  readonly precision?: Precision;
}

export const precisionOf = ({ precision = 'f32' }: Pick<Model, 'precision'>): Precision => precision;

/** Whether it is a bfloat16 that products read and write. */
export const isRounded = (of: Pick<Model, 'precision'>): boolean => precisionOf(of) !== 'f32';

/** Bytes of an element. */
export const BYTES = { f32: 4, bf16: 2, 'bf16-emulated': 2 } as const satisfies Record<Precision, number>;

/** Offsets and sizes in floats. */
export interface Place {
  readonly kernel: number;
  readonly bias: number;
}

/** 64 bytes: TensorFlow reads memory in place only where it is aligned so. */
export const ALIGNMENT = 16;

export const aligned = (floats: number): number => Math.ceil(floats / ALIGNMENT) * ALIGNMENT;

export interface Layout {
  readonly places: readonly Place[];
  /** Length of the parameter vector in floats, with the padding between its parts, which stays 0. */
  readonly length: number;
}

export function layoutOf(model: Model): Layout {
  // 64 bytes of what products read: a copy of the parameters that is rounded to bf16 has the same offsets.
  const unit = 64 / BYTES[precisionOf(model)];
  const aligned = (elements: number): number => Math.ceil(elements / unit) * unit;
  const places: Place[] = [];
  let length = 0;
  for (const { inputs, units } of model.layers) {
    const bias = length + aligned(inputs * units);
    places.push({ kernel: length, bias });
    length = bias + aligned(units);
  }
  return { places, length };
}

/** Addresses of a layer's parameters in a vector that begins at this one, of elements of a precision: the model's where none is given. */
export function addressesIn(vector: number, model: Model, layer: number, precision = precisionOf(model)): Place {
  const { kernel, bias } = layoutOf(model).places[layer]!;
  return { kernel: vector + kernel * BYTES[precision], bias: vector + bias * BYTES[precision] };
}

/** The parameters of a model, placed as for the same model in another precision. */
export function relaid(parameters: Float32Array, model: Model, precision: Precision): Float32Array {
  const [from, to] = [layoutOf(model), layoutOf({ ...model, precision })];
  const result = new Float32Array(to.length);
  model.layers.forEach(({ inputs, units }, l) => {
    const [place, next] = [from.places[l]!, to.places[l]!];
    result.set(parameters.subarray(place.kernel, place.kernel + inputs * units), next.kernel);
    result.set(parameters.subarray(place.bias, place.bias + units), next.bias);
  });
  return result;
}

/** widths: inputs, then units of each layer. dropout: rate of each hidden layer. */
export function modelOf(
  widths: readonly number[],
  options: { inputDropout: number; dropout: readonly number[]; objective: Objective },
): Model {
  const layers = widths.slice(1).map((units, l) => ({ inputs: widths[l]!, units, dropout: options.dropout[l] ?? 0 }));
  return { layers, inputDropout: options.inputDropout, objective: options.objective };
}

/** Glorot-uniform kernels (Glorot & Bengio 2010, eq. 16), biases 0, drawn from the seed: the report's initial state. */
export function initialParameters(model: Model, seed: number, stage: number): Float32Array {
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

/** Terms that a row's loss is the mean of: the pixels of a reconstruction; a classifier sums over its classes. */
export const termsOf = ({ objective, layers }: Model): number =>
  objective === 'reconstruction' ? layers.at(-1)!.units : 1;
