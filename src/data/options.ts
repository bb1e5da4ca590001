// The options of the data, apart from its split: one schema for flags, config files and programs.
import { z } from 'zod';
import { PseudolabelError } from '../errors.js';

/** HEIGHTxWIDTH, such as 28x28. */
const SIZE = /^[1-9]\d{0,3}x[1-9]\d{0,3}$/;
/** The most pixels: 2048 x 2048. A network of the smallest layers still fits in memory then. */
const MOST_PIXELS = 2 ** 22;
const size = z.string().regex(SIZE, 'a height and a width in pixels, as 28x28');

export const DATA_OPTIONS = {
  /** A folder or file of images (sources.ts). Defaults to MNIST. */
  data: z.string().optional(),
  /** The source that reads it. Defaults to the first that recognises it. */
  format: z.string().optional(),
  /** A CSV or TSV file of labels, which replace those of the data. */
  labels: z.string().optional(),
  /** The size that all images are resized to. */
  size: size.optional(),
  /** The folder, within a folder of images, whose images have no label. Defaults to `unlabelled`. */
  unlabelled: z.string().optional(),
  /** Follows links that lead out of the folder. */
  followLinks: z.boolean().optional(),
  /** Skips images that cannot be decoded. */
  skipBad: z.boolean().optional(),
  /** The folder of the cache of decoded images. Defaults to the user's cache folder. */
  cache: z.string().optional(),
} as const;

const schema = z.strictObject(DATA_OPTIONS);
export type DataOptions = z.infer<typeof schema>;

/**
 * Reads the size of `--size`, in pixels. Throws E_CONFIG, because not every command checks its options by the schema.
 */
export function sizeOf(size: string | undefined): Size | undefined {
  if (size === undefined) return undefined;
  if (!SIZE.test(size)) {
    const fix = 'give a height and a width in pixels, each from 1 to 9999: --size 28x28, for example';
    throw new PseudolabelError('E_CONFIG', `size: ${size} is no height and width`, fix);
  }
  const [height, width] = size.split('x').map(Number) as [number, number];
  if (height * width > MOST_PIXELS) {
    const fix = 'give a smaller one: networks learn well from 32x32 to 256x256';
    throw new PseudolabelError('E_CONFIG', `size: ${size} has more than ${MOST_PIXELS} pixels an image`, fix);
  }
  return { height, width };
}

export interface Size {
  readonly height: number;
  readonly width: number;
}
