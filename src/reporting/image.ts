// Small grey images as PNG.
import { encode } from 'fast-png';
import { type Html, html } from './page.js';

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** pixels: one byte each, row by row; missing ones are black. */
export function pngOf(pixels: Uint8Array, { rows, columns }: Size): Uint8Array {
  const data = new Uint8Array(rows * columns);
  data.set(pixels.subarray(0, data.length));
  return encode({ width: columns, height: rows, data, channels: 1, depth: 8 });
}

/** @param base64 the pixels */
export function picture(base64: string, size: Size, description: string): Html {
  const png = Buffer.from(pngOf(Buffer.from(base64, 'base64'), size)).toString('base64');
  return html`<img src="data:image/png;base64,${png}" width="${size.columns}" height="${size.rows}" alt="${description}">`;
}
