// What a user says of the data, besides how it is split: one schema for flags, config files and programs.
import { z } from 'zod';
import { PseudolabelError } from '../errors.js';

/** HEIGHTxWIDTH, as 28x28. */
const SIZE = /^[1-9]\d{0,3}x[1-9]\d{0,3}$/;
/** What memory is made for in a network of the smallest layers: 2048 x 2048. */
const MOST_PIXELS = 2 ** 22;
const size = z.string().regex(SIZE, 'a height and a width in pixels, as 28x28');

export const DATA_OPTIONS = {
  /** A folder or file of images (sources.ts); MNIST where it is left out. */
  data: z.string().optional(),
  /** The source that reads it. Left out: the first that recognises it. */
  format: z.string().optional(),
  /** A CSV or TSV file of labels, over those that the data has. */
  labels: z.string().optional(),
  /** What all images are resized to. */
  size: size.optional(),
  /** The folder, within a folder of images, whose images have no label: `unlabelled` where it is left out. */
  unlabelled: z.string().optional(),
  /** Links that lead out of the folder are followed. */
  followLinks: z.boolean().optional(),
  /** Images that cannot be decoded are left out. */
  skipBad: z.boolean().optional(),
  /** Where decoded images are kept: the user's cache folder where it is left out. */
  cache: z.string().optional(),
} as const;

const schema = z.strictObject(DATA_OPTIONS);
export type DataOptions = z.infer<typeof schema>;

/** The size in pixels that `--size` says. Throws E_CONFIG: not every command checks its options by the schema. */
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
