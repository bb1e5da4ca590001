// The ways in which images can be augmented, and the sets of them that --augment names.
import { z } from 'zod';

/** The largest amount of each change, in either direction. A change that is left out is not made. */
export interface Augmentation {
  /** The angle of a rotation about the centre, in degrees. */
  readonly rotate?: number | undefined;
  /** The natural logarithm of the factors of the width and of the height. */
  readonly scale?: number | undefined;
  /** The pixels that a row is moved by, for each pixel that it is below the centre. */
  readonly shear?: number | undefined;
  /** A shift in pixels. */
  readonly shift?: number | undefined;
  /**
   * An elastic distortion: the standard deviation of how far each knot of a grid over the image is moved, in pixels
   * (warp.ts).
   */
  readonly elastic?: number | undefined;
  /**
   * Enlarges a window of the image to the whole size. This is the least side of the window, as a share of the image's.
   */
  readonly crop?: number | undefined;
  /** Mirrors half of the images, left to right. */
  readonly flip?: boolean | undefined;
  /**
   * These are added to 1, as factors of all values (brightness), of their distance from the mean (contrast), and of the
   * colours' distance from grey (saturation).
   */
  readonly brightness?: number | undefined;
  readonly contrast?: number | undefined;
  readonly saturation?: number | undefined;
  /** The angle by which the colours are rotated, in degrees. Like saturation, it has no effect on grey images. */
  readonly hue?: number | undefined;
  /** The standard deviation of the noise that is added to each value, where white is 1. */
  readonly noise?: number | undefined;
  /** The side of a square that is blackened, in pixels. */
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
 * The names that --augment takes. digits: chosen on MNIST. mild: the same with smaller amounts, for targets that are
 * nearly all right. flips and photos: for pictures whose mirror image is of the same class. colour: for other pictures
 * in colour.
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

/** A view of a step's rows. weak: the view of the unlabelled rows by which they are predicted. */
export type View = 'labelled' | 'unlabelled' | 'weak';

/** How a step augments its rows, for each view. */
export interface StepAugmentation extends ImageSize, Readonly<Partial<Record<View, Augmentation | undefined>>> {}
