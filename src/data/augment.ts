// Random changes of images that keep their class. Every row of every step draws its own, from a stream that its place in the run names.
import { z } from 'zod';
import { keyOf, Stream } from '../random.js';

/** How far images are changed at most, each way; what is left out is not changed. */
export interface Augmentation {
  /** Turn about the centre, in degrees. */
  readonly rotate?: number | undefined;
  /** Natural logarithm of the factor of the size. */
  readonly scale?: number | undefined;
  /** Pixels that a row is moved by, for each pixel that it is below the centre. */
  readonly shear?: number | undefined;
  /** Pixels. */
  readonly shift?: number | undefined;
  /** Mirror every other image, left to right. */
  readonly flip?: boolean | undefined;
  /** Side of a square that is blackened somewhere, in pixels. */
  readonly cutout?: number | undefined;
}

const amount = (most: number) => z.number().min(0).max(most).optional();

export const augmentationSchema: z.ZodType<Augmentation> = z.strictObject({
  rotate: amount(90),
  scale: amount(1),
  shear: amount(1),
  shift: amount(1000),
  flip: z.boolean().optional(),
  cutout: amount(1000),
});

/** What --augment names. digits: as chosen on MNIST; flips: for pictures whose mirror image is of the same class. */
export const AUGMENTATIONS = {
  none: {},
  shift: { shift: 3 },
  digits: { rotate: 15, scale: 0.15, shear: 0.3, shift: 3, cutout: 8 },
  flips: { flip: true, shift: 3 },
} as const satisfies Record<string, Augmentation>;

export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Of a step: how its labelled and its unlabelled rows are changed. */
export interface StepAugmentation extends ImageSize {
  readonly labelled?: Augmentation | undefined;
  readonly unlabelled?: Augmentation | undefined;
}

/** Where in a run a row is drawn: the name of its random stream. row: of the labelled batch, or the image's number. */
export interface RowName {
  readonly seed: number;
  readonly stage: number;
  readonly step: number;
  readonly set: 'labelled' | 'unlabelled';
  readonly row: number;
}

/** A changed copy of an image, [height, width, channels]. The same for the same name, on every machine. */
export function augmented(image: Uint8Array, size: ImageSize, by: Augmentation, name: RowName): Uint8Array {
  const { seed, stage, step, set, row } = name;
  const stream = new Stream(keyOf(seed, 'augment', stage, step, Number(set === 'unlabelled'), row));
  const changed = warped(image, size, inverseOf(by, stream));
  if (by.cutout) blacken(changed, size, by.cutout, stream);
  return changed;
}

/** From a place in the result to one in the image, both from the centre: x' = a x + b y + c, y' = d x + e y + f. */
type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/**
 * Draws in a fixed order. Only sums, products and quotients: sines and exponentials differ between versions of V8. With t = tan(angle / 2),
 * cos = (1 - t^2) / (1 + t^2) and sin = 2 t / (1 + t^2); t is drawn in proportion to the angle, and e^s is (1 + s / 2) / (1 - s / 2).
 */
function inverseOf(
  { rotate = 0, scale = 0, shear = 0, shift = 0, flip = false }: Augmentation,
  stream: Stream,
): Affine {
  const draw = (most: number): number => most * (2 * stream.uniform() - 1);
  const t = draw((rotate * Math.PI) / 360);
  const s = draw(scale);
  const slant = draw(shear);
  const [x, y] = [draw(shift), draw(shift)];
  const mirrored = stream.uniform() < 0.5 && flip ? -1 : 1;
  const size = (1 - s / 2) / (1 + s / 2);
  const [cos, sin] = [(size * (1 - t * t)) / (1 + t * t), (size * 2 * t) / (1 + t * t)];
  const [a, b] = [mirrored * cos, mirrored * (cos * slant + sin)];
  const [d, e] = [-sin, cos - sin * slant];
  return [a, b, -(a * x + b * y), d, e, -(d * x + e * y)];
}

/** Bilinear; what comes from outside of the image is black. */
function warped(image: Uint8Array, { height, width, channels }: ImageSize, [a, b, c, d, e, f]: Affine): Uint8Array {
  const result = new Uint8Array(image.length);
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const at = (x: number, y: number, channel: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : image[(y * width + x) * channels + channel]!;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [fromX, fromY] = [column - middleX, row - middleY];
      const x = a * fromX + b * fromY + c + middleX;
      const y = d * fromX + e * fromY + f + middleY;
      const [left, top] = [Math.floor(x), Math.floor(y)];
      if (left < -1 || top < -1 || left >= width || top >= height) continue;
      const [right, below] = [x - left, y - top];
      for (let channel = 0; channel < channels; channel++) {
        const upper = at(left, top, channel) * (1 - right) + at(left + 1, top, channel) * right;
        const lower = at(left, top + 1, channel) * (1 - right) + at(left + 1, top + 1, channel) * right;
        result[(row * width + column) * channels + channel] = Math.round(upper * (1 - below) + lower * below);
      }
    }
  }
  return result;
}

function blacken(image: Uint8Array, { height, width, channels }: ImageSize, side: number, stream: Stream): void {
  const top = Math.floor(stream.uniform() * height - side / 2);
  const left = Math.floor(stream.uniform() * width - side / 2);
  const [from, to] = [Math.max(0, left) * channels, Math.min(width, left + side) * channels];
  for (let row = Math.max(0, top); row < Math.min(height, top + side); row++)
    if (to > from) image.fill(0, row * width * channels + from, row * width * channels + to);
}
