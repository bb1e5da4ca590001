// The numbers of label propagation over a graph of images, as JSON, for the method, the command line and messages.
import { z } from 'zod';

/**
 * How the graph describes an image. The descriptor's principal components are scaled to length 1, multiplied by
 * `weight`, and appended to those of the other descriptors. pixels: the image as it is. hog: histograms of oriented
 * gradients (hog.ts), of the deskewed image if `deskew` says so. features: the input of the last dense layer of the
 * stage's network.
 */
export interface Descriptor {
  readonly kind: 'pixels' | 'hog' | 'features';
  readonly components: number;
  readonly weight?: number | undefined;
  /** Whether hog deskews images. If left out, it deskews grey images only. */
  readonly deskew?: boolean | undefined;
}

/** The number of steps of Z = alpha S Z + (1 - alpha) Y, and its alpha. */
export interface Spread {
  readonly alpha: number;
  readonly iterations: number;
}

export interface GraphSettings {
  readonly descriptors: readonly Descriptor[];
  /** The neighbours of each image, by cosine. */
  readonly neighbours: number;
  readonly spread: Spread;
  /**
   * The weight, in the logarithms of probabilities, of the network's predictions against the labels. If left out, they
   * are not mixed in.
   */
  readonly mix?: number | undefined;
  /** How the mixed labels are spread again. If left out, they are not. */
  readonly smooth?: Spread | undefined;
}

/**
 * The most images. The time of exact neighbours grows with the square: 2^20 rows of 64 components take half an hour of
 * one core (docs/label-propagation.md).
 */
export const MOST_ROWS = 2 ** 20;
export const MOST_NEIGHBOURS = 64;
/**
 * The most inputs of a network's last layer, or pixels. With more, principal components would take the coordinator
 * minutes.
 */
export const MOST_VALUES = 4096;
export const MOST_COMPONENTS = 512;
const MOST_DESCRIPTORS = 8;
/** The most networks whose features one descriptor has. */
export const MOST_PARTS = 16;
export const MOST_ROW_VALUES = MOST_DESCRIPTORS * MOST_PARTS * MOST_COMPONENTS;

const spread: z.ZodType<Spread> = z.strictObject({
  alpha: z.number().min(0).lt(1),
  iterations: z.int().min(1).max(1000),
});

export const descriptorSchema: z.ZodType<Descriptor> = z
  .strictObject({
    kind: z.enum(['hog', 'pixels', 'features']),
    components: z.int().min(1).max(MOST_COMPONENTS),
    weight: z.number().positive().max(1000).optional(),
    deskew: z.boolean().optional(),
  })
  .refine(({ kind, deskew }) => kind === 'hog' || deskew === undefined, 'only images that hog describes are deskewed');

export const graphSchema: z.ZodType<GraphSettings> = z
  .strictObject({
    descriptors: z.array(descriptorSchema).min(1).max(MOST_DESCRIPTORS),
    neighbours: z.int().min(1).max(MOST_NEIGHBOURS),
    spread,
    mix: z.number().min(0).max(1).optional(),
    smooth: spread.optional(),
  })
  .refine(
    ({ mix, smooth }) => mix !== undefined || smooth === undefined,
    'smooth: labels that are not mixed with predictions (mix) are spread already',
  )
  .refine(
    ({ mix, descriptors }) => mix === undefined || descriptors.some(({ kind }) => kind === 'features'),
    'mix: a network predicts where its features describe the images, and no descriptor is features',
  );
