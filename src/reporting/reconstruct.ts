// Owns a plain forward pass of one image, for the few images of a figure: it needs no arena, no threads and no native library.

import { layoutOf } from '../models/dense/model.js';
import type { Model } from '../models/model.js';

/**
 * What the model makes of one image, without dropout: ReLU in the hidden layers, sigmoid at the end.
 * @param parameters as layoutOf(model) places them
 * @param input [inputs of the first layer], 0 to 1
 * @returns [units of the last layer], 0 to 1
 */
export function reconstruct(model: Model, parameters: Float32Array, input: Float32Array): Float32Array {
  const { places } = layoutOf(model);
  const last = model.layers.length - 1;
  return model.layers.reduce((x, { inputs, units }, l) => {
    const { kernel, bias } = places[l]!;
    return Float32Array.from({ length: units }, (_, unit) => {
      let sum = parameters[bias + unit]!;
      const start = kernel + unit * inputs;
      for (let i = 0; i < inputs; i++) sum += parameters[start + i]! * x[i]!;
      return l === last ? 1 / (1 + Math.exp(-sum)) : Math.max(0, sum);
    });
  }, input);
}
