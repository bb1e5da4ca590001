// Lays out the arrays of a chain in a workspace. They hold a few images at a time, so that they stay in the caches.
import { BEHIND, sizesOf } from '../../engine/native/convolution.js';
import { Space } from '../../engine/space.js';
import type { Chain } from './chain.js';
import type { LayersModel } from './model.js';

/** The images that pass through the chain together: as many rows as the kernel's losses take at a time. */
export const TOGETHER = 8;

/** The addresses of a convolution's arrays. Those of its gradients are 0 without training. */
export interface ConvolutionPlaces {
  readonly packed: number;
  readonly filters: number;
  readonly largest: number;
  readonly unfolded: number;
  /** One for each member. */
  readonly gradients: readonly { readonly filters: number; readonly bias: number }[];
}

/** Addresses in bytes, each a multiple of 64. */
export interface ChainPlaces {
  /** The values of each tensor, and the gradient at it. */
  readonly tensors: readonly { readonly values: number; readonly gradient: number }[];
  /** One for each step; undefined if the step is no convolution. */
  readonly convolutions: readonly (ConvolutionPlaces | undefined)[];
  /** The bias of a layer that has none: zeros. */
  readonly noBias: number;
  readonly sums: number;
  readonly lists: number;
  /** Logits and targets are [classes, TOGETHER]; weights and losses have one float per row. */
  readonly logits: number;
  readonly targets: number;
  readonly weights: number;
  readonly losses: number;
  readonly end: number;
}

export function chainPlacesOf(
  { tensors, steps }: Chain,
  { classes, members = 1 }: LayersModel,
  training: boolean,
  start = 0,
): ChainPlaces {
  const space = new Space(start);
  const take = (floats: number, isNeeded = true): number => (isNeeded ? space.take(floats + BEHIND) : 0);
  const places = tensors.map(({ image }, t) => {
    const isNeeded = training && t > 0;
    return { values: take(TOGETHER * image), gradient: take(TOGETHER * image, isNeeded) };
  });
  let [sums, lists, filters] = [0, 0, 0];
  const convolutions = steps.map((step): ConvolutionPlaces | undefined => {
    if (step.kind !== 'convolution') return undefined;
    const sizes = sizesOf(step.shape, TOGETHER);
    sums = Math.max(sums, sizes.sums);
    lists = Math.max(lists, sizes.lists);
    filters = Math.max(filters, step.shape.filters);
    return {
      packed: take(sizes.packed),
      filters: take(sizes.filters, training),
      largest: take(sizes.largest, training),
      unfolded: take(TOGETHER * step.shape.image, step.unfolded !== undefined),
      gradients: Array.from({ length: training ? members : 0 }, () => {
        return { filters: take(sizes.filterGradient), bias: take(sizes.biasGradient) };
      }),
    };
  });
  return {
    tensors: places,
    convolutions,
    noBias: take(filters),
    sums: take(sums),
    lists: take(lists, training),
    logits: take(classes * TOGETHER),
    targets: take(classes * TOGETHER),
    weights: take(TOGETHER),
    losses: take(TOGETHER),
    end: space.end,
  };
}
