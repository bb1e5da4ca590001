// A data set: images as bytes, labels as far as they are known, and the names of the classes.
import { createHash } from 'node:crypto';
import { PseudolabelError } from '../errors.js';
import type { ImageStore } from './image-store.js';

/** The label of an image whose class is unknown. */
export const UNKNOWN = 0xffff;

/**
 * The most classes. Labels have 16 bits. A step's sums over the classes, of all shards, have to fit into a message, and
 * a confusion matrix into a report.
 */
export const MOST_CLASSES = 4096;

/** Images in an order, with what is known of them. */
export interface ImageSet {
  /** The number of images. */
  readonly count: number;
  /** [count, height, width, channels], 0 to 255. */
  readonly images: ImageStore;
  /** [count], positions in the data set's class names, or UNKNOWN. */
  readonly labels: Uint16Array;
  /** The name of each image (its file, relative to the folder). undefined: images are numbered from 0. */
  readonly ids?: readonly string[] | undefined;
}

/** What a source knows about a data set. */
export interface DatasetParts {
  /** 'mnist', or the name of the folder. */
  readonly name: string;
  /** The size of an image in pixels. */
  readonly height: number;
  readonly width: number;
  /** The values of a pixel: 1 for grey images. */
  readonly channels: number;
  /** The names of the classes, in the order of the model's outputs. */
  readonly classNames: readonly string[];
  /** The images to train on. Any of their labels may be unknown. */
  readonly train: ImageSet;
  /** The test set, whose labels are all known. undefined: there is none, so that nothing is measured on it. */
  readonly test: ImageSet | undefined;
  /** What was assumed or left out when the data set was loaded, one sentence each. */
  readonly notes?: readonly string[];
}

/** Images of one size and their classes: the images to train on, and a test set if there is one. */
export interface Dataset extends DatasetParts {
  /** height * width * channels: the values of an image. */
  readonly pixels: number;
  /** The number of classes, at most MOST_CLASSES. */
  readonly classes: number;
  /**
   * The hex SHA-256 of the SHA-256 of all images and of the labels, first of the training set, then of the test set.
   */
  readonly sha256: string;
}

/** Makes a data set. Throws E_DATA_CLASSES if there are more classes than can be trained. */
export function datasetOf(parts: DatasetParts): Dataset {
  const { name, height, width, channels, classNames, train, test } = parts;
  if (classNames.length > MOST_CLASSES) {
    throw new PseudolabelError(
      'E_DATA_CLASSES',
      `${name} has ${classNames.length} different labels; a classifier has at most ${MOST_CLASSES} classes`,
      'Check that the labels are classes, or merge some of them.',
    );
  }
  const hash = createHash('sha256');
  for (const { images, labels } of test ? [train, test] : [train]) {
    hash.update(images.sha256);
    hash.update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength));
  }
  return { ...parts, pixels: height * width * channels, classes: classNames.length, sha256: hash.digest('hex') };
}

/** Returns the number of known labels. */
export function knownCount(labels: Uint16Array): number {
  return labels.reduce((known, label) => known + Number(label !== UNKNOWN), 0);
}

/**
 * Returns the labels as positions in another list of class names. If a class occurs that is not in that list, returns
 * its name.
 */
export function relabelled(
  labels: Uint16Array,
  from: readonly string[],
  to: readonly string[],
): { readonly labels: Uint16Array; readonly missing: string | undefined } {
  const positions = new Map(to.map((name, position) => [name, position]));
  const translated = labels.map((label) => positions.get(from[label] ?? '') ?? UNKNOWN);
  const missing = labels.find((label, i) => label !== UNKNOWN && translated[i] === UNKNOWN);
  return { labels: translated, missing: missing === undefined ? undefined : from[missing] };
}
