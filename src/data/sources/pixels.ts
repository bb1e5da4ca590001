// Turns arrays of numbers into images: what each axis is, the range of the values, and where each byte goes.
import { PseudolabelError } from '../../errors.js';
import type { ImageStore } from '../image-store.js';

/** The meaning of the axes of an array of images. */
export interface Layout {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** For each axis of the array, the distance of two neighbours in the images, in bytes. */
  readonly strides: readonly number[];
  /** What was assumed, as the end of a sentence about the array. */
  readonly assumed: string | undefined;
}

/** Finds the layout of an array. Throws E_DATA_SHAPE and E_DATA_EMPTY, naming the array. */
export function layoutOf(path: string, shape: readonly number[]): Layout {
  const found = `${path} has the shape ${shape.join(' x ')}`;
  if (shape.includes(0))
    throw new PseudolabelError('E_DATA_EMPTY', `${found}: it is empty`, 'Write an array with images in it.');
  const [count = 0, ...sizes] = shape;
  if (sizes.length === 1) {
    const side = Math.sqrt(sizes[0]!);
    if (Number.isInteger(side)) return rows(count, side, side, 1, `read as images of ${side} x ${side} pixels`);
  }
  if (sizes.length === 2)
    return { ...rows(count, sizes[0]!, sizes[1]!, 1), strides: [sizes[0]! * sizes[1]!, sizes[1]!, 1] };
  if (sizes.length === 3) {
    const [a, b, c] = sizes as [number, number, number];
    if (isChannels(c)) return { ...rows(count, a, b, c), strides: [a * b * c, b * c, c, 1] };
    if (isChannels(a)) {
      const assumed = `read as ${a} channels of ${b} x ${c} pixels`;
      return { ...rows(count, b, c, a, assumed), strides: [a * b * c, 1, c * a, a] };
    }
  }
  throw new PseudolabelError(
    'E_DATA_SHAPE',
    `${found}, which is not that of images`,
    'Give it the shape images x height x width, or images x height x width x channels with 1 or 3 channels (x.reshape(...), x[..., :3]).',
  );
}

const isChannels = (size: number): boolean => size === 1 || size === 3;

const rows = (count: number, height: number, width: number, channels: number, assumed?: string): Layout => ({
  count,
  height,
  width,
  channels,
  assumed,
  strides: [height * width * channels, 1],
});

/** The range of the values of arrays, which decides what they mean as pixels. */
export class Range {
  least = 0;
  most = 0;
  hasNaN = false;

  add(values: ArrayLike<number>): void {
    let { least, most, hasNaN } = this;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value < least) least = value;
      else if (value > most) most = value;
      else if (Number.isNaN(value)) hasNaN = true;
    }
    Object.assign(this, { least, most, hasNaN });
  }
}

/** The rounding error by which floats may exceed their range. It does not change the rounded pixels. */
const ROUNDING = 0.001;

/**
 * Returns the factor that brings the pixels of arrays to the range from 0 to 255. Throws E_DATA_VALUES, naming an
 * array.
 */
export function scaleOf(path: string, { least, most, hasNaN }: Range): 1 | 255 {
  if (!hasNaN && least >= -ROUNDING && most <= 255 + ROUNDING) return most <= 1 + ROUNDING ? 255 : 1;
  const odd = hasNaN ? 'NaN' : least < 0 ? least : most;
  throw new PseudolabelError(
    'E_DATA_VALUES',
    `${path} has the value ${odd}, which is no pixel: they go from 0 to 255, or from 0 to 1`,
    least < 0
      ? 'Undo the normalisation of the images before they are saved: pixels go from 0 to 255 as uint8.'
      : 'Convert the images to uint8, with pixels from 0 to 255 (16-bit values divided by 257).',
  );
}

/** Writes the values of an array into images, in the order in which a file has them. */
export class PixelWriter {
  private readonly views: readonly Uint8Array[];
  private readonly blockBytes: number;
  private readonly axes: readonly { readonly size: number; readonly stride: number }[];
  private readonly isPlain: boolean;
  private readonly at: number[];
  private offset: number;

  /** @param first the image that the array's first one becomes */
  constructor(store: ImageStore, first: number, layout: Layout, shape: readonly number[], isFortran: boolean) {
    this.views = [...store.views()];
    this.blockBytes = this.views[0]!.length;
    const axes = shape.map((size, axis) => ({ size, stride: layout.strides[axis]! }));
    this.axes = isFortran ? axes : axes.reverse(); // the axis that varies fastest comes first
    const sizesBelow = this.axes.map((_, i) => this.axes.slice(0, i).reduce((product, { size }) => product * size, 1));
    this.isPlain = this.axes.every(({ size, stride }, i) => size === 1 || stride === sizesBelow[i]);
    this.at = this.axes.map(() => 0);
    this.offset = first * store.pixels;
  }

  /** Writes the next values, times `scale`, rounded. */
  write(values: ArrayLike<number>, scale: number): void {
    if (this.isPlain && scale === 1 && values instanceof Uint8Array) this.writeBytes(values);
    else this.writeEach(values, scale);
  }

  private writeEach(values: ArrayLike<number>, scale: number): void {
    for (let i = 0; i < values.length; i++) {
      const block = Math.floor(this.offset / this.blockBytes);
      this.views[block]![this.offset - block * this.blockBytes] = Math.round(values[i]! * scale);
      if (this.isPlain) this.offset++;
      else this.advance();
    }
  }

  private writeBytes(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const block = Math.floor(this.offset / this.blockBytes);
      const within = this.offset - block * this.blockBytes;
      const part = bytes.subarray(from, from + this.blockBytes - within);
      this.views[block]!.set(part, within);
      this.offset += part.length;
      from += part.length;
    }
  }

  private advance(): void {
    for (let axis = 0; axis < this.axes.length; axis++) {
      const { size, stride } = this.axes[axis]!;
      this.offset += stride;
      if (++this.at[axis]! < size) return;
      this.at[axis] = 0;
      this.offset -= size * stride;
    }
  }
}
