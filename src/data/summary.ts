// Summarises a data set for users who look at it before they train: counts, and images that occur twice.
import { createHash } from 'node:crypto';
import { type Dataset, type ImageSet, UNKNOWN } from './dataset.js';

export interface ClassSummary {
  readonly name: string;
  /** The training images with this label. */
  readonly labels: number;
  /** undefined if there is no test set. */
  readonly test: number | undefined;
}

export interface DataSummary {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly train: { readonly images: number; readonly known: number; readonly unknown: number };
  readonly test: { readonly images: number } | undefined;
  readonly classes: readonly ClassSummary[];
  readonly duplicates: Duplicates;
  readonly sha256: string;
}

export interface Duplicates {
  /** The training images that equal an earlier one in every pixel. */
  readonly train: number;
  /** Those of them whose known label differs from that of the earlier one. */
  readonly contradicting: number;
  /** The first of these, and the image that it equals. */
  readonly example: readonly [number, number] | undefined;
  /** The test images that are training images as well. */
  readonly test: number;
}

export function summaryOf(dataset: Dataset): DataSummary {
  const { name, height, width, channels, classNames, train, test, sha256 } = dataset;
  const [labels, tested] = [train, test].map((set) => set && countsOf(set, classNames.length));
  const known = labels!.reduce((sum, count) => sum + count, 0);
  return {
    name,
    height,
    width,
    channels,
    train: { images: train.count, known, unknown: train.count - known },
    test: test && { images: test.count },
    classes: classNames.map((each, c) => ({ name: each, labels: labels![c]!, test: tested?.[c] })),
    duplicates: duplicatesOf(train, test),
    sha256,
  };
}

function countsOf({ labels }: ImageSet, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) if (label !== UNKNOWN) counts[label]! += 1;
  return counts;
}

function duplicatesOf(train: ImageSet, test: ImageSet | undefined): Duplicates {
  const first = new Map<string, number>();
  const hashOf = ({ images }: ImageSet, image: number): string =>
    createHash('sha1').update(images.at(image)).digest('base64');
  let [twice, contradicting, tested] = [0, 0, 0];
  let example: Duplicates['example'];
  for (let image = 0; image < train.count; image++) {
    const hash = hashOf(train, image);
    const earlier = first.get(hash);
    if (earlier === undefined) {
      first.set(hash, image);
      continue;
    }
    twice += 1;
    const [label, other] = [train.labels[image], train.labels[earlier]];
    if (label === other || label === UNKNOWN || other === UNKNOWN) continue;
    contradicting += 1;
    example ??= [image, earlier];
  }
  for (let image = 0; image < (test?.count ?? 0); image++) tested += Number(first.has(hashOf(test!, image)));
  return { train: twice, contradicting, example, test: tested };
}

/**
 * Picks some training images of each class, and some without a label, to look at: at most `most` of each, evenly spread
 * over all of them.
 * @returns positions in the training set
 */
export function samplesOf(
  { classNames, train }: Dataset,
  most: number,
): { readonly classes: readonly (readonly number[])[]; readonly unlabelled: readonly number[] } {
  const rows = Array.from({ length: classNames.length + 1 }, (): number[] => []);
  for (const [image, label] of train.labels.entries()) rows[label === UNKNOWN ? classNames.length : label]!.push(image);
  const spread = rows.map((images) => {
    const count = Math.min(most, images.length);
    return Array.from({ length: count }, (_, i) => images[Math.floor((i * images.length) / count)]!);
  });
  return { classes: spread.slice(0, -1), unlabelled: spread.at(-1)! };
}

/** Returns notes about pixels without information, such as those of images from 0 to 1 that were rounded. */
export function pixelNotes({ images }: ImageSet): string[] {
  const [first] = images.at(0);
  const views = [...images.views()];
  if (views.every((view) => view.every((value) => value === first)))
    return [`all pixels of the training images are ${first}: there is nothing to learn from`];
  if (views.some((view) => view.some((value) => value > 1))) return [];
  return ['no pixel of the training images is above 1: pixels should go from 0 to 255'];
}
