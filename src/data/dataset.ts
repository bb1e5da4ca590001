// What a data source yields: images as bytes, labels as far as they are known, and the names of the classes.
import { createHash } from 'node:crypto';
import { PseudolabelError } from '../errors.js';
import type { ImageStore } from './image-store.js';

/** The label of an image whose class nobody knows. */
export const UNKNOWN = 0xffff;

/**
 * The most classes. Labels have 16 bits; a step's sums over the classes, of all shards, have to fit into a message, and a confusion matrix
 * into a report.
 */
export const MOST_CLASSES = 4096;

/** Images, and what is known of them, in one order. */
export interface ImageSet {
  /** The number of images. */
  readonly count: number;
  /** [count, height, width, channels], 0 to 255. */
  readonly images: ImageStore;
  /** [count], positions in the data set's class names, or UNKNOWN. */
  readonly labels: Uint16Array;
  /** What each image is called (its file, within the folder); undefined: they are numbered from 0. */
  readonly ids?: readonly string[] | undefined;
}

/** What a source knows of a data set. */
export interface DatasetParts {
  /** 'mnist', or the name of the folder. */
  readonly name: string;
  /** The size of an image in pixels. */
  readonly height: number;
  readonly width: number;
  /** Values of a pixel: 1 for grey images. */
  readonly channels: number;
  /** What the classes are called, in the order of the model's outputs. */
  readonly classNames: readonly string[];
  /** Any of its labels may be unknown. */
  readonly train: ImageSet;
  /** All of its labels are known. undefined: there is none, so that nothing is measured on it. */
  readonly test: ImageSet | undefined;
  /** What was assumed or left out when it was loaded, one sentence each. */
  readonly notes?: readonly string[];
}

/** Images of one size and their classes: those to train on, and a test set where there is one. */
export interface Dataset extends DatasetParts {
  /** height * width * channels: the values of an image. */
  readonly pixels: number;
  /** How many there are: at most MOST_CLASSES. */
  readonly classes: number;
  /** Hex SHA-256 of the SHA-256 of all images and the labels, of training and then of the test. */
  readonly sha256: string;
}

/** Throws E_DATA_CLASSES where there are more classes than can be trained. */
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

/** How many of the labels somebody knows. */
export function knownCount(labels: Uint16Array): number {
  return labels.reduce((known, label) => known + Number(label !== UNKNOWN), 0);
}

/**
 * The same labels as positions in another list of class names.
 * Returns the name of a class that occurs and is not in that list, where there is one.
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
