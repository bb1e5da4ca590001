// A model's predictions for a set of images, in the form that is written to files and shown to people.
import { type ImageSet, UNKNOWN } from '../data/dataset.js';
import type { RunnersUp } from '../models/tasks.js';

export interface Labelled {
  readonly count: number;
  /** The name of each image. undefined: images are numbered from 0. */
  readonly ids: readonly string[] | undefined;
  /** The names of the model's classes. */
  readonly classNames: readonly string[];
  /** [count], positions in classNames. */
  readonly classes: Uint16Array;
  /** The model's output for the class, from 0 to 1. */
  readonly confidences: Float32Array;
  readonly runnersUp: RunnersUp;
  /** Returns the name of the label that the data has for an image, or undefined if it is unknown. */
  known(image: number): string | undefined;
}

/**
 * Joins a set with a model's predictions for it.
 * @param dataNames the names of the set's labels
 */
export function labelledOf(
  { count, ids, labels }: Omit<ImageSet, 'images'>,
  dataNames: readonly string[],
  predicted: Pick<Labelled, 'classes' | 'confidences' | 'runnersUp' | 'classNames'>,
): Labelled {
  const known = (image: number): string | undefined =>
    labels[image] === UNKNOWN ? undefined : dataNames[labels[image]!];
  return { ...predicted, count, ids, known };
}

export const idOf = ({ ids }: Pick<Labelled, 'ids'>, image: number): string => ids?.[image] ?? String(image);

/** Returns the number of images with a known label, and for how many of them the model's class is the same. */
export function agreement({ count, classNames, classes, known }: Labelled): { known: number; agree: number } {
  let [all, agree] = [0, 0];
  for (let image = 0; image < count; image++) {
    const name = known(image);
    if (name === undefined) continue;
    all += 1;
    agree += Number(name === classNames[classes[image]!]);
  }
  return { known: all, agree };
}

export interface ShareGap {
  readonly className: string;
  readonly share: number;
  /** The share among the images with a known label. */
  readonly knownShare: number;
}

/** The part of the images that would have to change class to have the shares of the known labels. */
const FAR = 0.25;

/**
 * Compares the model's shares of the classes with those of the known labels. If they are far apart, returns the class
 * that is above its share most, and the one that is below it most. A class that swallows others looks like this, and its
 * confidence is high.
 */
export function shareGaps({ count, classNames, classes, known }: Labelled): readonly ShareGap[] {
  const place = new Map(classNames.map((name, c) => [name, c]));
  const [all, labels] = [new Float64Array(classNames.length), new Float64Array(classNames.length)];
  let labelled = 0;
  for (let image = 0; image < count; image++) {
    all[classes[image]!]! += 1;
    const c = place.get(known(image) ?? '');
    if (c === undefined) continue;
    labels[c]! += 1;
    labelled += 1;
  }
  if (labelled === 0) return [];
  const gaps = classNames
    .map((className, c) => ({ className, share: all[c]! / count, knownShare: labels[c]! / labelled }))
    .sort((a, b) => b.share - b.knownShare - (a.share - a.knownShare));
  const distance = gaps.reduce((sum, { share, knownShare }) => sum + Math.max(0, share - knownShare), 0);
  return distance < FAR ? [] : [gaps[0]!, gaps.at(-1)!];
}

/**
 * Returns the `count` images of the least confidence, the least certain first. They are chosen among images without a
 * label, or among all if there are none.
 */
export function leastSure(labelled: Labelled, count: number): number[] {
  const images = [...Array(labelled.count).keys()];
  const unknown = images.filter((image) => labelled.known(image) === undefined);
  const { confidences } = labelled;
  return (unknown.length > 0 ? unknown : images)
    .sort((a, b) => confidences[a]! - confidences[b]! || a - b)
    .slice(0, count);
}
