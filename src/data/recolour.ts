// Changes the values of images in place: colour, noise, and blackened squares. Like warp.ts it uses exact arithmetic
// only.
import type { Stream } from '../random.js';
import type { Augmentation, ImageSize } from './augmentation.js';

/** The share of each channel in brightness (ITU-R BT.601). */
const LUMA = [0.299, 0.587, 0.114] as const;

/**
 * Changes brightness, contrast, saturation and hue, in that order. All are linear, so that they are one matrix. The
 * draws have a fixed order; nothing is drawn if no change is asked for. image: [pixels, channels]. Saturation and hue
 * affect images of three channels only.
 */
export function recolour(image: Uint8Array, channels: number, by: Augmentation, stream: Stream): void {
  const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = by;
  if (brightness === 0 && contrast === 0 && saturation === 0 && hue === 0) return;
  const draw = (most: number): number => most * (2 * stream.uniform() - 1);
  const [bright, far, colourful] = [1 + draw(brightness), 1 + draw(contrast), 1 + draw(saturation)];
  const t = draw((hue * Math.PI) / 360);
  const factor = bright * far;
  const offset = bright * (1 - far) * meanOf(image, channels) + 0.5;
  if (channels !== 3) {
    for (let i = 0; i < image.length; i++) image[i] = clipped(factor * image[i]! + offset);
    return;
  }
  const matrix = colourMatrix(colourful, t).map((element) => element * factor);
  const [rr, rg, rb, gr, gg, gb, br, bg, bb] = matrix as unknown as Matrix;
  for (let i = 0; i < image.length; i += 3) {
    const [r, g, b] = [image[i]!, image[i + 1]!, image[i + 2]!];
    image[i] = clipped(rr * r + rg * g + rb * b + offset);
    image[i + 1] = clipped(gr * r + gg * g + gb * b + offset);
    image[i + 2] = clipped(br * r + bg * g + bb * b + offset);
  }
}

type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/**
 * Returns the matrix of saturation and hue. What is not brightness, (r - y, g - y, b - y), is rotated about the axis of
 * greys and scaled. t: tan of half the angle. For a unit vector u along (1, 1, 1): v' = cos v + sin (u x v), for v in
 * the plane (Rodrigues). The brightness is then restored.
 */
function colourMatrix(colourful: number, t: number): number[] {
  const cos = (colourful * (1 - t * t)) / (1 + t * t);
  const sin = (colourful * 2 * t) / (1 + t * t) / Math.sqrt(3);
  const third = (1 - cos) / 3;
  // This rotates about the mean of the channels; the rotation keeps that plane.
  const turned = [
    ...[cos + third, third - sin, third + sin],
    ...[third + sin, cos + third, third - sin],
    ...[third - sin, third + sin, cos + third],
  ];
  return turned.map((element, i) => {
    const c = i % 3;
    const brightness = LUMA[0] * turned[c]! + LUMA[1] * turned[3 + c]! + LUMA[2] * turned[6 + c]!;
    return element + LUMA[c]! - brightness;
  });
}

/** Returns the mean brightness. */
function meanOf(image: Uint8Array, channels: number): number {
  let sum = 0;
  if (channels === 3)
    for (let i = 0; i < image.length; i += 3)
      sum += LUMA[0] * image[i]! + LUMA[1] * image[i + 1]! + LUMA[2] * image[i + 2]!;
  else for (let i = 0; i < image.length; i++) sum += image[i]!;
  return (sum * (channels === 3 ? 3 : 1)) / image.length;
}

/** Adds Gaussian-like noise. sigma: relative to white, which is 1. */
export function addNoise(image: Uint8Array, sigma: number, stream: Stream): void {
  const values = 255 * sigma;
  for (let i = 0; i < image.length; i++) image[i] = clipped(image[i]! + values * stream.bell() + 0.5);
}

/** Blackens a square whose centre is anywhere in the image. */
export function blacken(image: Uint8Array, { height, width, channels }: ImageSize, side: number, stream: Stream): void {
  const top = Math.floor(stream.uniform() * height - side / 2);
  const left = Math.floor(stream.uniform() * width - side / 2);
  const [from, to] = [Math.max(0, left) * channels, Math.min(width, left + side) * channels];
  for (let row = Math.max(0, top); row < Math.min(height, top + side); row++)
    if (to > from) image.fill(0, row * width * channels + from, row * width * channels + to);
}

/** Clips a value to a byte. The caller has added one half, so that cutting off the fraction rounds. */
const clipped = (value: number): number => (value < 0 ? 0 : Math.min(value, 255));
