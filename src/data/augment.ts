// Augments images: changes them at random in ways that keep their class. Every row of every step draws its own changes,
// from a random stream that its place in the run names.

import { keyOf, Stream } from '../random.js';
import type { Augmentation, ImageSize, View } from './augmentation.js';
import { addNoise, blacken, recolour } from './recolour.js';
import { Warp } from './warp.js';

/** The numbers of the sets in the names of streams. Every run's result depends on them. */
const SETS: Readonly<Record<View, number>> = { labelled: 0, unlabelled: 1, weak: 2 };

/**
 * The name of a row's random stream: where in a run the row is drawn. row: its place in the labelled batch, or the
 * image's number.
 */
export interface RowName {
  readonly seed: number;
  readonly stage: number;
  readonly step: number;
  readonly set: View;
  readonly row: number;
}

/** Augments images of one size. */
export class Augmenter {
  private readonly warp: Warp;

  constructor(private readonly size: ImageSize) {
    this.warp = new Warp(size);
  }

  /**
   * Writes an augmented copy of an image, [height, width, channels], to `to`. The same name gives the same copy on
   * every machine.
   */
  write(image: Uint8Array, by: Augmentation, { seed, stage, step, set, row }: RowName, to: Uint8Array): void {
    const stream = new Stream(keyOf(seed, 'augment', stage, step, SETS[set], row));
    this.warp.write(image, by, stream, to);
    recolour(to, this.size.channels, by, stream);
    if (by.noise) addNoise(to, by.noise, stream);
    if (by.cutout) blacken(to, this.size, by.cutout, stream);
  }
}

/** Returns an augmented copy of one image. */
export function augmented(image: Uint8Array, size: ImageSize, by: Augmentation, name: RowName): Uint8Array {
  const result = new Uint8Array(image.length);
  new Augmenter(size).write(image, by, name, result);
  return result;
}
