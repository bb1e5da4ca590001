// Makes data sets of a program's own arrays, or of images that come one by one.
import { PseudolabelError } from '../errors.js';
import { classesOf } from './classes.js';
import { type Dataset, datasetOf } from './dataset.js';
import { ImageStore } from './image-store.js';
import type { FoundSet, Label } from './source.js';
import { Range, scaleOf } from './sources/pixels.js';

/** Numbers or names. undefined, null, -1 and NaN mean that the label is unknown. */
export type GivenLabels = ArrayLike<number | string | null | undefined>;

/** Images in a program's memory. */
export interface GivenImages {
  /** [images, height, width, channels], one image after the other: bytes, or floats from 0 to 1 or from 0 to 255. */
  readonly images: Uint8Array | Uint8ClampedArray | Float32Array | Float64Array;
  /** One for each image. If left out, no label is known. */
  readonly labels?: GivenLabels;
  /** The name of each image. If left out, images are numbered from 0. */
  readonly ids?: readonly string[];
}

/** A data set in a program's memory. */
export interface GivenArrays extends GivenImages {
  readonly height: number;
  readonly width: number;
  /** 1 for grey images, 3 for colours. Defaults to 1. */
  readonly channels?: number;
  /** A test set. All of its labels have to be known. */
  readonly test?: GivenImages;
  /** The names of the classes, if labels are positions in this list. */
  readonly classNames?: readonly string[];
  /** Defaults to 'arrays'. */
  readonly name?: string;
}

/**
 * Makes a data set of arrays, which are copied.
 * @throws PseudolabelError E_DATA_SHAPE, E_DATA_COUNT, E_DATA_EMPTY, E_DATA_VALUES, E_DATA_CLASSES or E_MEMORY
 */
export function datasetFromArrays(given: GivenArrays): Dataset {
  const { name = 'arrays', height, width, channels = 1, classNames, test } = given;
  const size = { height, width, channels };
  checkSize(name, size);
  const scale = scaleOfFloats(name, [given, ...(test ? [test] : [])]);
  const trainSet = setOf(`${name}: images`, given, size, scale);
  const testSet = test && setOf(`${name}: test images`, test, size, scale);
  return assembled(name, size, classNames, trainSet, testSet);
}

/** One image, with its label if that is known. */
export interface GivenImage {
  /** height * width * channels bytes. They may be overwritten once the next image is asked for. */
  readonly image: Uint8Array | Uint8ClampedArray;
  readonly label?: number | string | null | undefined;
  readonly id?: string;
}

/**
 * Makes a data set of images that come one by one. Besides the data set, only one image is held in memory.
 * @param options.most the most images; defaults to 2^24
 * @throws PseudolabelError as datasetFromArrays does, and whatever the iterator throws
 */
export async function datasetFromImages(
  images: AsyncIterable<GivenImage> | Iterable<GivenImage>,
  options: Omit<GivenArrays, 'images' | 'labels' | 'ids' | 'test'> & { readonly most?: number },
): Promise<Dataset> {
  const { name = 'arrays', height, width, channels = 1, classNames, most = 2 ** 24 } = options;
  const size = { height, width, channels };
  checkSize(name, size);
  const pixels = height * width * channels;
  const labels: Label[] = [];
  const ids: string[] = [];
  let store = ImageStore.allocate(64, pixels);
  for await (const { image, label, id } of images) {
    const count = labels.length;
    const path = `${name}: image ${count}`;
    if (count === most)
      throw wrong('E_DATA_SHAPE', `${name} has more than ${most} images`, 'Say how many there may be (most).');
    if (image.length !== pixels) throw wrongLength(path, image.length, size);
    if (count === store.count) store = grown(store);
    store.at(count).set(image);
    labels.push(labelOf(path, label));
    if (id !== undefined) ids.push(id);
    if (ids.length !== 0 && ids.length !== labels.length)
      throw wrong(
        'E_DATA_COUNT',
        `${path}: some images have an id and others have none`,
        'Give all images an id, or none.',
      );
  }
  const count = labels.length;
  if (count === 0) throw wrong('E_DATA_EMPTY', `${name} has no images`, 'Give at least one image.');
  const exact = ImageStore.allocate(count, pixels);
  copy(store, exact, count);
  const found = { kind: 'plain', ...size, store: exact } as const;
  return assembled(name, size, classNames, {
    path: name,
    count,
    ids: checkedIds(name, ids.length > 0 ? ids : undefined, count),
    labels,
    images: found,
  });
}

interface Size {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

function checkSize(name: string, { height, width, channels }: Size): void {
  const areWhole = [height, width].every((side) => Number.isInteger(side) && side > 0 && side < 2 ** 16);
  if (areWhole && (channels === 1 || channels === 3)) return;
  const message = `${name}: images of ${height} x ${width} pixels with ${channels} channels`;
  throw wrong(
    'E_DATA_SHAPE',
    message,
    'Give whole numbers: a height and a width from 1 to 65,535, and 1 or 3 channels.',
  );
}

/** Returns the factor of the floats: 255 if the floats of all sets are from 0 to 1, and 1 otherwise. */
function scaleOfFloats(name: string, sets: readonly GivenImages[]): 1 | 255 {
  const range = new Range();
  for (const { images } of sets) if (areFloats(images)) range.add(images);
  return scaleOf(`${name}: images`, range);
}

const areFloats = (images: GivenImages['images']): images is Float32Array | Float64Array =>
  images instanceof Float32Array || images instanceof Float64Array;

function setOf(path: string, given: GivenImages, size: Size, scale: 1 | 255): FoundSet {
  const pixels = size.height * size.width * size.channels;
  const count = given.images.length / pixels;
  if (count === 0) throw wrong('E_DATA_EMPTY', `${path} are none`, 'Give at least one image.');
  if (!Number.isInteger(count)) throw wrongLength(path, given.images.length, size);
  const store = ImageStore.allocate(count, pixels);
  let from = 0;
  for (const view of store.views()) {
    const part = given.images.subarray(from, from + view.length);
    if (areFloats(part)) for (let i = 0; i < part.length; i++) view[i] = Math.round(part[i]! * scale);
    else view.set(part);
    from += view.length;
  }
  if (given.labels && given.labels.length !== count) {
    const message = `${path} are ${count}, with ${given.labels.length} labels`;
    throw wrong('E_DATA_COUNT', message, 'Give a label for each image, undefined where nobody knows.');
  }
  const labels = given.labels && Array.from(given.labels, (label) => labelOf(path, label));
  const images = { kind: 'plain', ...size, store } as const;
  return { path, count, ids: checkedIds(path, given.ids, count), labels, images };
}

function labelOf(path: string, label: unknown): Label {
  if (label === undefined || label === null || label === '' || label === -1 || Number.isNaN(label)) return undefined;
  if (typeof label === 'string' || (typeof label === 'number' && Number.isSafeInteger(label) && label >= 0))
    return label;
  const fix = 'Labels are names, or whole numbers from 0; undefined, null, -1 or NaN says that nobody knows.';
  throw wrong('E_DATA_VALUES', `${path}: ${String(label)} is no label`, fix);
}

function checkedIds(path: string, ids: readonly string[] | undefined, count: number): readonly string[] | undefined {
  if (ids === undefined || (ids.length === count && new Set(ids).size === count)) return ids;
  const message = `${path}: ${ids.length} ids, ${new Set(ids).size} of them different, for ${count} images`;
  throw wrong('E_DATA_COUNT', message, 'Give each image an id of its own, or none.');
}

function assembled(
  name: string,
  size: Size,
  classNames: readonly string[] | undefined,
  train: FoundSet,
  test?: FoundSet,
): Dataset {
  const classes = classesOf({ classNames, train, test, notes: [] });
  const imagesOf = ({ images }: FoundSet): ImageStore => (images as { store: ImageStore }).store;
  const { count, ids } = train;
  return datasetOf({
    name,
    ...size,
    classNames: classes.names,
    train: { count, ids, labels: classes.train, images: imagesOf(train) },
    test: test && classes.test && { count: test.count, ids: test.ids, labels: classes.test, images: imagesOf(test) },
  });
}

/** Returns a copy with room for twice as many images. */
function grown(store: ImageStore): ImageStore {
  const larger = ImageStore.allocate(2 * store.count, store.pixels);
  copy(store, larger, store.count);
  return larger;
}

function copy(from: ImageStore, to: ImageStore, count: number): void {
  let first = 0;
  for (const view of from.views(0, count)) {
    to.write(first, view);
    first += view.length / from.pixels;
  }
}

function wrongLength(path: string, length: number, { height, width, channels }: Size): PseudolabelError {
  const message = `${path} have ${length} values, which are no whole images of ${height} x ${width} x ${channels}`;
  return wrong('E_DATA_SHAPE', message, 'Check height, width and channels.');
}

const wrong = (code: PseudolabelError['code'], message: string, fix: string): PseudolabelError =>
  new PseudolabelError(code, message, fix);
