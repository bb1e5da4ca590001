// The steps of a chain that are no convolutions, over a few images at a time. values and gradient: of those images, one
// after the other.
import { type ChainTensor, interiorOf } from './chain.js';

/**
 * Multiplies a tensor, or the gradient at it, by masks. The masks are [image, line, pixel, channel] without a border,
 * from `at` on.
 */
export function applyMasks(tensor: ChainTensor, values: Float32Array, masks: Float32Array, at: number): void {
  const { height, width, channels, line, image } = tensor;
  let next = at;
  for (let first = interiorOf(tensor); first < values.length; first += image)
    for (let start = first; start < first + height * line; start += line)
      for (let i = start; i < start + width * channels; i++) values[i]! *= masks[next++]!;
}

/** Writes means [image, channels], the mean of all pixels of each image of a tensor without a border. */
export function pixelMeans(
  { height, width, channels, image }: ChainTensor,
  values: Float32Array,
  means: Float32Array,
): void {
  const part = 1 / (height * width);
  means.fill(0);
  for (let i = 0; i < values.length; i++)
    means[Math.floor(i / image) * channels + (i % channels)]! += values[i]! * part;
}

/** Writes the gradient at the pixels. given: the gradient at their means, [image, channels]. */
export function pixelGradient(
  { height, width, channels, image }: ChainTensor,
  given: Float32Array,
  gradient: Float32Array,
): void {
  const part = 1 / (height * width);
  for (let i = 0; i < gradient.length; i++)
    gradient[i] = given[Math.floor(i / image) * channels + (i % channels)]! * part;
}
