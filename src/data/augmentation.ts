// How images may be changed at random: what can be asked for, and what --augment names.
import { z } from 'zod';

/** How far images are changed at most, each way; what is left out is not changed. */
export interface Augmentation {
  /** Turn about the centre, in degrees. */
  readonly rotate?: number | undefined;
  /** Natural logarithm of the factor of the width, and of the height. */
  readonly scale?: number | undefined;
  /** Pixels that a row is moved by, for each pixel that it is below the centre. */
  readonly shear?: number | undefined;
  /** Pixels. */
  readonly shift?: number | undefined;
  /** Bend: the standard deviation of how far each knot of a grid over the image is moved, in pixels (warp.ts). */
  readonly elastic?: number | undefined;
  /** Show a window somewhere in the image as large as the whole: the least side that it may have, as a share. */
  readonly crop?: number | undefined;
  /** Mirror every other image, left to right. */
  readonly flip?: boolean | undefined;
  /** Add to 1: a factor of all values; of their distance from the mean; of the colours' distance from grey. */
  readonly brightness?: number | undefined;
  readonly contrast?: number | undefined;
  readonly saturation?: number | undefined;
  /** Turn of the colours, in degrees. Without effect on grey images, as is saturation. */
  readonly hue?: number | undefined;
  /** Standard deviation of what is added to each value, of which 1 is white. */
  readonly noise?: number | undefined;
  /** Side of a square that is blackened somewhere, in pixels. */
  readonly cutout?: number | undefined;
}

const amount = (most: number) => z.number().min(0).max(most).optional();

export const augmentationSchema: z.ZodType<Augmentation> = z.strictObject({
  rotate: amount(90),
  scale: amount(1),
  shear: amount(1),
  shift: amount(1000),
  elastic: amount(100),
  crop: z.number().min(0.1).max(1).optional(),
  flip: z.boolean().optional(),
  brightness: amount(1),
  contrast: amount(1),
  saturation: amount(1),
  hue: amount(90),
  noise: amount(1),
  cutout: amount(1000),
});

/**
 * What --augment names. digits: as chosen on MNIST; mild: the same with less of it, for targets that are nearly all right. flips and photos: for
 * pictures whose mirror image is of the same class. colour: for others that have colours.
 */
export const AUGMENTATIONS = {
  none: {},
  shift: { shift: 3 },
  digits: { rotate: 15, scale: 0.15, shear: 0.3, shift: 3, elastic: 1, cutout: 8 },
  mild: { rotate: 10, scale: 0.1, shear: 0.2, shift: 2, elastic: 0.7 },
  flips: { flip: true, shift: 3 },
  colour: { rotate: 10, scale: 0.1, shift: 3, crop: 0.85, brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 10 },
  photos: { flip: true, crop: 0.7, rotate: 10, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 20, cutout: 8 },
} as const satisfies Record<string, Augmentation>;

export type AugmentationName = keyof typeof AUGMENTATIONS;

export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** A view of a step's rows. weak: of the unlabelled ones, for their prediction. */
export type View = 'labelled' | 'unlabelled' | 'weak';

/** Of a step: how its rows are changed, in each view. */
export interface StepAugmentation extends ImageSize, Readonly<Partial<Record<View, Augmentation | undefined>>> {}
