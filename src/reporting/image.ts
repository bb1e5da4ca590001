// The few small images of a report: encodes them as PNG, and reconstructs them by a network.
import { encode } from 'fast-png';
import { type DenseModel, layoutOf } from '../models/dense/model.js';
import { type Html, html } from './page.js';

export interface Size {
  readonly rows: number;
  readonly columns: number;
  /** The values of a pixel: 1 (grey) or 3 (red, green, blue). Defaults to 1. */
  readonly channels?: number;
}

/** Encodes pixels as PNG. pixels: one byte per value, row by row; missing ones are black. */
export function pngOf(pixels: Uint8Array, { rows, columns, channels = 1 }: Size): Uint8Array {
  const data = new Uint8Array(rows * columns * channels);
  data.set(pixels.subarray(0, data.length));
  return encode({ width: columns, height: rows, data, channels, depth: 8 });
}

/**
 * Returns an image element.
 * @param base64 the pixels
 */
export function picture(base64: string, size: Size, description: string): Html {
  const png = Buffer.from(pngOf(Buffer.from(base64, 'base64'), size)).toString('base64');
  return html`<img src="data:image/png;base64,${png}" width="${size.columns}" height="${size.rows}" alt="${description}">`;
}

/**
 * Returns the model's reconstruction of one image, without dropout: ReLU in the hidden layers, sigmoid at the end.
 * @param parameters as layoutOf(model) places them
 * @param input [inputs of the first layer], 0 to 1
 * @returns [units of the last layer], 0 to 1
 */
export function reconstruct(model: DenseModel, parameters: Float32Array, input: Float32Array): Float32Array {
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
