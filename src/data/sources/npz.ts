// The data source of NumPy arrays: an .npz archive, a folder of .npy files, or one .npy file of images.
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PseudolabelError } from '../../errors.js';
import { READING, whyNotRead } from '../../files/read.js';
import { entriesOf, type ListFolder } from '../listing.js';
import type { Collection, DataSource, FoundSet, Label, SourceOptions } from '../source.js';
import { archiveOf } from './archive.js';
import { type NpyFile, type NpyHeader, numbersOf, readHeader } from './npy.js';
import { labelsOf, namesOf } from './npy-labels.js';
import { type Layout, layoutOf, PixelWriter, Range, scaleOf } from './pixels.js';
import { roomFor } from './room.js';

/** Finds the role of an array by its name, in lower case with _ between words. */
const ROLES = {
  trainImages:
    /^(x_?train|train_?x|train|(train|training)_(images?|data|imgs?|features)|(images?|data|imgs?)_(train|training))$/,
  trainLabels: /^(y_?train|train_?y|(train|training)_(labels?|targets?|y)|(labels?|targets?)_(train|training))$/,
  images: /^(x|xs|images?|imgs?|data|features|pixels|arr_0)$/,
  labels: /^(y|ys|labels?|targets?|class(es)?|arr_1)$/,
  testImages: /^(x_?test|test_?x|test|test_(images?|data|imgs?|features)|(images?|data|imgs?)_test)$/,
  testLabels: /^(y_?test|test_?y|test_(labels?|targets?)|(labels?|targets?)_test)$/,
  unlabelled: /^((x|train|images?|data)_)?(un_?lab(el)?l?ed|unlab|unsupervised|u|ul)(_(x|train|images?|data))?$/,
  classNames: /^(class_?names|label_?names|category_?names)$/,
} as const;
type Role = keyof typeof ROLES;

const FIX = 'Call the arrays x_train, y_train, x_test, y_test and x_unlabelled; x_train or x_unlabelled is needed.';

export const NPZ: DataSource = {
  name: 'npz',
  reads: 'an .npz archive of NumPy arrays or a folder of .npy files (x_train, y_train, x_test, y_test, x_unlabelled)',
  recognises: async (path, list) => /\.np[yz]$/i.test(path) || (await arrayNames(path, list)).length > 0,
  open: openArrays,
};

/** Returns the one .npz of a folder, or its .npy files. */
async function arrayNames(folder: string, list: ListFolder): Promise<string[]> {
  const names = (await entriesOf(folder, list)).map(({ name }) => name).filter((name) => !name.startsWith('.'));
  const archives = names.filter(isArchive);
  if (archives.length === 1) return archives;
  return names.filter((name) => /\.npy$/i.test(name)).sort();
}

async function openArrays(path: string, { list }: SourceOptions): Promise<Collection> {
  const names = await arrayNames(path, list);
  const [first] = names;
  if (first !== undefined && !isArchive(first)) {
    const files = await Promise.all(
      names.map(async (name) => [stem(name), await plainFile(join(path, name))] as const),
    );
    return collectionOf(path, new Map(files));
  }
  const file = first === undefined ? path : join(path, first);
  if (await isNpy(file)) return collectionOf(file, new Map([['x_train', await plainFile(file)]]));
  const { entries, close } = await archiveOf(file);
  try {
    const arrays = entries.filter(({ name }) => /\.npy$/i.test(name));
    return await collectionOf(file, byStem(file, arrays));
  } finally {
    close();
  }
}

const isArchive = (name: string): boolean => /\.npz$/i.test(name);

function byStem(path: string, files: readonly (NpyFile & { readonly name: string })[]): ReadonlyMap<string, NpyFile> {
  const found = new Map<string, NpyFile>();
  for (const file of files) {
    const other = found.get(stem(file.name));
    if (other) throw ambiguous(path, [other.path, file.path]);
    found.set(stem(file.name), file);
  }
  return found;
}

function ambiguous(path: string, names: readonly string[]): PseudolabelError {
  const message = `${path} has several arrays for the same: ${names.join(', ')}`;
  return new PseudolabelError('E_DATA_AMBIGUOUS', message, `Leave one of them. ${FIX}`);
}

const stem = (name: string): string =>
  basename(name)
    .replace(/\.npy$/i, '')
    .toLowerCase()
    .replace(/[\s.-]+/g, '_');

async function isNpy(path: string): Promise<boolean> {
  for await (const chunk of (await plainFile(path)).read()) return chunk.toString('latin1', 1, 6) === 'NUMPY';
  return false;
}

/** Opens a file that is in no archive. */
async function plainFile(path: string): Promise<NpyFile> {
  const failed = (cause: unknown): never => {
    const message = `${path} cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
  };
  const handle = await open(path, READING).catch(failed);
  const status = await handle.stat().finally(() => handle.close());
  if (!status.isFile()) failed(new Error('not a regular file'));
  return {
    path,
    bytes: status.size,
    read: async function* () {
      const file = await open(path, READING).catch(failed);
      try {
        yield* file.createReadStream({ start: 0, highWaterMark: 2 ** 20, autoClose: false });
      } catch (cause) {
        failed(cause);
      } finally {
        await file.close();
      }
    },
  };
}

interface NpyArray {
  readonly file: NpyFile;
  readonly header: NpyHeader;
}

interface NpyImages extends NpyArray {
  readonly layout: Layout;
}

/**
 * Makes a collection of arrays.
 * @param files the arrays, by their names in lower case
 */
async function collectionOf(path: string, files: ReadonlyMap<string, NpyFile>): Promise<Collection> {
  const of = rolesOf(path, files);
  const labelled = await imagesOf(of('trainImages', 'images'));
  const unlabelled = await imagesOf(of('unlabelled'));
  const [first, ...more] = [labelled, unlabelled].filter((each) => each !== undefined);
  if (first === undefined) {
    const names = [...files.keys()].slice(0, 10).join(', ') || 'none';
    throw new PseudolabelError('E_DATA_FORMAT', `${path} has no images to train with among its arrays: ${names}`, FIX);
  }
  const labelsFile = labelled && of('trainLabels', 'labels');
  const testFile = of('testImages') && of('testLabels');
  const namesFile = of('classNames');
  const test = testFile && (await imagesOf(of('testImages')));
  const used = new Set([labelled?.file, labelsFile, unlabelled?.file, test?.file, testFile, namesFile]);
  const unused = [...files.keys()].filter((name) => !used.has(files.get(name)));
  const notes = unused.length > 0 ? [`${path}: not used are ${unused.slice(0, 10).join(', ')}`] : [];

  const found = labelsFile && labelled && (await labelsOf(labelsFile, labelled));
  const testLabels = testFile && test && (await labelsOf(testFile, test));
  const isTested = testLabels?.some((label) => label !== undefined) ?? false;
  const scale = await scaleOfAll([first, ...more, ...(test ? [test] : [])], notes);
  const withoutLabels: Label[] = Array(unlabelled?.layout.count ?? 0).fill(undefined);
  return {
    classNames: namesFile && (await namesOf(namesFile)),
    train: { ...(await setOf([first, ...more], scale)), labels: found?.concat(withoutLabels) },
    test: isTested ? { ...(await setOf([test!], scale)), labels: testLabels } : undefined,
    notes,
  };
}

/**
 * Returns a function that finds the array of the first of these roles that an array has. Throws E_DATA_AMBIGUOUS if
 * several have it.
 */
function rolesOf(path: string, files: ReadonlyMap<string, NpyFile>) {
  return (...roles: readonly Role[]): NpyFile | undefined => {
    for (const role of roles) {
      const names = [...files.keys()].filter((name) => ROLES[role].test(name));
      if (names.length === 1) return files.get(names[0]!);
      if (names.length === 0) continue;
      throw ambiguous(path, names);
    }
    return undefined;
  };
}

async function imagesOf(file: NpyFile | undefined): Promise<NpyImages | undefined> {
  if (file === undefined) return undefined;
  const header = await readHeader(file);
  if (header.kind === 'unicode' || header.kind === 'byte string') {
    const message = `${file.path} has texts where pixels are needed`;
    throw new PseudolabelError('E_DATA_VALUES', message, 'Save the images as uint8, with pixels from 0 to 255.');
  }
  return { file, header, layout: layoutOf(file.path, header.shape) };
}

/** Returns the factor of all pixels. All arrays have the same one. */
async function scaleOfAll(arrays: readonly NpyImages[], notes: string[]): Promise<1 | 255> {
  for (const { file, layout } of arrays) if (layout.assumed) notes.push(`${file.path} is ${layout.assumed}`);
  if (arrays.every(({ header }) => header.type === 'u1')) return 1;
  const range = new Range();
  let scale: 1 | 255 = 1;
  for (const { file, header } of arrays) {
    for await (const values of numbersOf(file, header)) range.add(values);
    scale = scaleOf(file.path, range);
  }
  const types = [...new Set(arrays.map(({ header }) => header.type))].join(' and ');
  const most = Number(range.most.toPrecision(4));
  notes.push(
    scale === 255
      ? `pixels of type ${types} are taken to go from 0 to 1, since no value is above 1`
      : `pixels of type ${types} are taken to go from 0 to 255; the greatest value is ${most}`,
  );
  return scale;
}

/** Returns the images of arrays, one after the other. Throws E_DATA_SHAPE if they are not of one size. */
async function setOf(arrays: readonly NpyImages[], scale: number): Promise<Omit<FoundSet, 'labels'>> {
  const [{ file, layout }] = arrays as [NpyImages];
  const { height, width, channels } = layout;
  const sizeOf = (each: Layout): string => `${each.height} x ${each.width} x ${each.channels}`;
  const other = arrays.find((each) => sizeOf(each.layout) !== sizeOf(layout));
  if (other) {
    const message = `${other.file.path} has images of ${sizeOf(other.layout)} values, ${file.path} of ${sizeOf(layout)}`;
    throw new PseudolabelError('E_DATA_SHAPE', message, 'Give all images the same size.');
  }
  const count = arrays.reduce((sum, each) => sum + each.layout.count, 0);
  const store = roomFor(file.path, count, height * width * channels);
  let first = 0;
  for (const { file, header, layout } of arrays) {
    const writer = new PixelWriter(store, first, layout, header.shape, header.isFortran);
    for await (const values of numbersOf(file, header)) writer.write(values, scale);
    first += layout.count;
  }
  return { path: file.path, count, ids: undefined, images: { kind: 'plain', height, width, channels, store } };
}
