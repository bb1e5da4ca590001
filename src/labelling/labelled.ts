// What a model says of a set of images, as it is written to files and shown to people.
import { type ImageSet, UNKNOWN } from '../data/dataset.js';
import type { RunnersUp } from '../models/tasks.js';

export interface Labelled {
  readonly count: number;
  /** What each image is called; undefined: they are numbered from 0. */
  readonly ids: readonly string[] | undefined;
  /** Of the model. */
  readonly classNames: readonly string[];
  /** [count], positions in classNames. */
  readonly classes: Uint16Array;
  /** The model's output for the class, from 0 to 1. */
  readonly confidences: Float32Array;
  readonly runnersUp: RunnersUp;
  /** The label that the data has of an image, by name; undefined: nobody knows. */
  known(image: number): string | undefined;
}

/** @param dataNames what the labels of the set are called */
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

/** How many images have a known label, and of how many it is the model's class as well. */
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

/** The `count` images of the least confidence, the least sure first: of those that nobody has labelled, or where there are none of all. */
export function leastSure(labelled: Labelled, count: number): number[] {
  const images = [...Array(labelled.count).keys()];
  const unknown = images.filter((image) => labelled.known(image) === undefined);
  const { confidences } = labelled;
  return (unknown.length > 0 ? unknown : images)
    .sort((a, b) => confidences[a]! - confidences[b]! || a - b)
    .slice(0, count);
}
