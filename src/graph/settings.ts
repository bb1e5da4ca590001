// The numbers of label propagation over a graph of images, as JSON: what the method, the command line and messages say of it.
import { z } from 'zod';

/**
 * What stands for an image in the graph. Its principal components are scaled to length 1, multiplied by `weight`, and put behind those of
 * the other descriptors. pixels: the image as it is. hog: histograms of oriented gradients (hog.ts), of the upright image where `deskew` says
 * so. features: what the last dense layer of the stage's network reads.
 */
export interface Descriptor {
  readonly kind: 'pixels' | 'hog' | 'features';
  readonly components: number;
  readonly weight?: number | undefined;
  /** Of hog alone; left out: grey images are. */
  readonly deskew?: boolean | undefined;
}

/** So many steps of Z = alpha S Z + (1 - alpha) Y. */
export interface Spread {
  readonly alpha: number;
  readonly iterations: number;
}

export interface GraphSettings {
  readonly descriptors: readonly Descriptor[];
  /** Of each image, by cosine. */
  readonly neighbours: number;
  readonly spread: Spread;
  /** The part of the network's own logarithms of probabilities in those of the labels; left out: none. */
  readonly mix?: number | undefined;
  /** How the mixed labels are spread again; left out: not at all. */
  readonly smooth?: Spread | undefined;
}

/** The time of exact neighbours grows by the square: 2^20 rows of 64 components take half an hour of one core (docs/label-propagation.md). */
export const MOST_ROWS = 2 ** 20;
export const MOST_NEIGHBOURS = 64;
/** Of a network's last layer, or pixels. Principal components of more would take the coordinator minutes. */
export const MOST_VALUES = 4096;
export const MOST_COMPONENTS = 512;
const MOST_DESCRIPTORS = 8;
/** Networks whose features one descriptor has. */
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
