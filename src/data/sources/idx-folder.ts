// The data source of IDX files: a folder with files named like MNIST's, or like those of EMNIST, QMNIST and Kaggle.
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PseudolabelError } from '../../errors.js';
import { whyNotRead } from '../../files/read.js';
import { entriesOf, type ListFolder } from '../listing.js';
import type { Collection, DataSource, FoundSet, PlainImages, SourceOptions } from '../source.js';
import { readIdxIntegers, readIdxInto } from './idx.js';
import { idxClassNames } from './idx-names.js';
import { type Layout, layoutOf, PixelWriter } from './pixels.js';
import { roomFor } from './room.js';

/**
 * Matches a name: optional words, the set, its content, and its type, such as
 * emnist-letters-train-images-idx3-ubyte.gz.
 */
const FILE_NAME =
  /^(?<prefix>.+[-_])?(?<set>train|t10k|test)-(?<what>images|labels)(?<join>[-.])idx\d-[a-z]+\d*(?<gz>\.gz)?$/i;

/** Returns whether a name is an IDX file's. The first test is fast and rules out nearly all names of a large folder. */
const isIdx = (name: string): boolean => /idx\d/i.test(name) && FILE_NAME.test(name);

const spellingsOf = (name: string): string[] =>
  [name, name.replace('-idx', '.idx')].flatMap((spelling) => [spelling, `${spelling}.gz`]);

/** Means an unknown label in a file of unsigned bytes, which cannot hold -1. */
const UNKNOWN_BYTE = 255;

interface FoundFile {
  readonly path: string;
  /** The beginning of its name, which all files of one data set have in common. */
  readonly prefix: string;
  readonly set: 'train' | 'test';
  readonly what: 'images' | 'labels';
}

/** Labels as the file has them. -1 means that the label is unknown. */
interface Labels {
  readonly path: string;
  readonly values: Int32Array;
  readonly isUnsigned: boolean;
}

interface Images {
  readonly path: string;
  readonly count: number;
  readonly images: PlainImages;
}

/** How deep the files may be: gzip/ in EMNIST's archive, MNIST/raw/ where torchvision unpacks it. */
const MOST_DEPTH = 2;
const MOST_FOLDERS = 100;

/**
 * Reads a folder with training images, and, if they are there, training labels, test images and test labels, plain or
 * gzipped. A label of -1, or of 255 in a file of unsigned bytes, means that the class is unknown. open throws
 * PseudolabelError as readIdx does, and E_DATA_COUNT, E_DATA_SHAPE, E_DATA_CLASSES, E_DATA_AMBIGUOUS.
 */
export const IDX: DataSource = {
  name: 'idx',
  reads: "a folder of IDX files, as MNIST's",
  recognises: async (path, list) => (await foldersOf(path, list)).length > 0,
  open: openIdxFolder,
};

async function openIdxFolder(path: string, { list }: SourceOptions): Promise<Collection> {
  const [folder = path, ...others] = await foldersOf(path, list);
  if (others.length > 0) throw ambiguousFolders(path, [folder, ...others]);
  const files = await filesOf(folder);
  const isEmnist = files[0]!.prefix.startsWith('emnist');
  const pathOf = (set: FoundFile['set'], what: FoundFile['what']): string | undefined =>
    files.find((file) => file.set === set && file.what === what)?.path;
  const trainImages = await readImages(pathOf('train', 'images')!, isEmnist);
  const trainLabels = await readLabels(pathOf('train', 'labels'), trainImages);
  const testPath = pathOf('test', 'images');
  const testImages = testPath === undefined ? undefined : await readImages(testPath, isEmnist);
  const testLabels = testImages && (await readLabels(pathOf('test', 'labels'), testImages));

  const known = withoutUnknown(trainLabels, testLabels);
  const names = await idxClassNames(folder, files[0]!.prefix);
  const named = (labels: Labels | undefined) => labels && Array.from(labels.values, (label) => names.label(label));
  return {
    classNames: names.classNames,
    train: { ...foundSet(trainImages, known.train), labels: named(known.train) },
    test: testImages && known.test && { ...foundSet(testImages, known.test), labels: named(known.test) },
    notes: isEmnist ? [`${folder}: images of EMNIST are stored on their sides, and are turned upright`] : [],
  };
}

/** Returns the folder if it has the files, or else those folders within it that have some. */
async function foldersOf(path: string, list: ListFolder): Promise<string[]> {
  let folders = [path];
  for (let depth = 0; depth <= MOST_DEPTH && folders.length > 0; depth++) {
    const entries = await Promise.all(
      folders.slice(0, MOST_FOLDERS).map(async (folder) => ({
        folder,
        inside: await entriesOf(folder, list),
      })),
    );
    const found = entries.filter(({ inside }) => inside.some(({ name }) => isIdx(name)));
    if (found.length > 0) return found.map(({ folder }) => folder).sort();
    const isOpen = (entry: Dirent): boolean => entry.isDirectory() && !entry.name.startsWith('.');
    folders = entries.flatMap(({ folder, inside }) => inside.filter(isOpen).map(({ name }) => join(folder, name)));
  }
  return [];
}

/**
 * Returns the files of the one data set of a folder; of two spellings, the better one comes first. Files in folders of
 * their own names count as well.
 */
async function filesOf(folder: string): Promise<FoundFile[]> {
  const entries = await list(folder);
  const found: (FoundFile & { readonly rank: number })[] = [];
  for (const { name } of entries) {
    const parts = FILE_NAME.exec(name)?.groups;
    if (!parts) continue;
    const path = join(folder, name);
    const isFolder = await stat(path).then(
      (status) => status.isDirectory(),
      () => false,
    );
    const inside = isFolder ? (await list(path)).find((entry) => isSameFile(entry, parts)) : undefined;
    if (isFolder && !inside) continue;
    found.push({
      path: inside ? join(path, inside.name) : path,
      prefix: parts.prefix?.toLowerCase() ?? '',
      set: parts.set!.toLowerCase() === 'train' ? 'train' : 'test',
      what: parts.what!.toLowerCase() as FoundFile['what'],
      rank: 4 * Number(isFolder) + 2 * Number(parts.join === '.') + Number(parts.gz !== undefined),
    });
  }
  const prefixes = [...new Set(found.filter(isTrainImages).map(({ prefix }) => prefix))].sort();
  if (prefixes.length === 0) throw noTrainImages(folder);
  const prefix = prefixes[0]!;
  if (prefix !== '' && prefixes.length > 1) throw ambiguous(folder, prefixes);
  return found.filter((file) => file.prefix === prefix).sort((a, b) => a.rank - b.rank || (a.path < b.path ? -1 : 1));
}

const isTrainImages = ({ set, what }: FoundFile): boolean => set === 'train' && what === 'images';

function isSameFile(entry: Dirent, folder: Record<string, string>): boolean {
  const parts = FILE_NAME.exec(entry.name)?.groups;
  const isSame = (key: 'set' | 'what'): boolean => parts?.[key]?.toLowerCase() === folder[key]!.toLowerCase();
  return entry.isFile() && isSame('set') && isSame('what');
}

async function list(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    const message = `${folder} cannot be read as a folder: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', message, 'Give the folder that holds the IDX files.', { cause });
  }
}

function noTrainImages(folder: string): PseudolabelError {
  const name = 'train-images-idx3-ubyte';
  const spellings = spellingsOf(name).join(', ');
  return new PseudolabelError(
    'E_DATA_MISSING',
    `${folder} has no ${name}`,
    `Give a folder with IDX files of MNIST's names; this one may be called ${spellings}, also with words before it (emnist-letters-${name}).`,
  );
}

function ambiguousFolders(path: string, folders: readonly string[]): PseudolabelError {
  const message = `${path} has IDX files in several folders: ${folders.slice(0, 5).join(', ')}`;
  return new PseudolabelError('E_DATA_AMBIGUOUS', message, 'Give one of these folders.');
}

function ambiguous(folder: string, prefixes: readonly string[]): PseudolabelError {
  return new PseudolabelError(
    'E_DATA_AMBIGUOUS',
    `${folder} has files of several data sets, which begin with ${prefixes.join(', ')}`,
    'Give a folder with the files of one of them.',
  );
}

async function readImages(path: string, isTransposed: boolean): Promise<Images> {
  return readIdxInto(path, (shape) => {
    checkedImages(path, { shape });
    const layout = transposedIf(isTransposed && shape.length === 3, layoutOf(path, shape));
    const { count, height, width, channels } = layout;
    const store = roomFor(path, count, height * width * channels);
    const writer = new PixelWriter(store, 0, layout, shape, false);
    const images = { kind: 'plain', height, width, channels, store } as const;
    return { path, count, images, write: (bytes) => writer.write(bytes, 1) };
  });
}

/** Swaps the axes if the rows of the file are the columns of the images. */
function transposedIf(isTransposed: boolean, layout: Layout): Layout {
  const { height: width, width: height } = layout;
  return isTransposed ? { ...layout, height, width, strides: [height * width, 1, width] } : layout;
}

/** Returns the file unchanged. Throws E_DATA_SHAPE if it does not hold images, grey or in three colours. */
export function checkedImages<T extends { readonly shape: readonly number[] }>(path: string, file: T): T {
  const { shape } = file;
  if (shape.length === 3 || (shape.length === 4 && (shape[3] === 1 || shape[3] === 3))) return file;
  const [count, ...sizes] = shape;
  const found = `${path} has ${shape.length} dimensions (${shape.join(' x ')}) where 3 are needed (images, rows and columns), or 4 with 3 colours`;
  const flat = `Write the shape of the images into the header: ${count} x rows x columns, or ${count} x 1 x ${sizes[0]} where they have none.`;
  const colour = `Give the images three colours (${count} x ${sizes[0]} x ${sizes[1]} x 3), or convert them to grey: ${count} x ${sizes[0]} x ${sizes[1]}.`;
  const fixes: Record<number, string> = { 2: flat, 4: colour };
  const fix = fixes[shape.length] ?? 'Check that the file is not another one under this name.';
  throw new PseudolabelError('E_DATA_SHAPE', found, fix);
}

async function readLabels(path: string | undefined, images: Images): Promise<Labels | undefined> {
  if (path === undefined) return undefined;
  const { shape, values, isUnsigned } = await readIdxIntegers(path);
  const [count, columns] = shape;
  // QMNIST has eight integers per image; the first is its class.
  const isTable = shape.length === 2 && columns === 8 && !isUnsigned;
  if (shape.length !== 1 && !isTable) {
    throw new PseudolabelError(
      'E_DATA_SHAPE',
      `${path} has ${shape.length} dimensions (${shape.join(' x ')}) where 1 is needed (labels)`,
      'Check that the file is not another one under this name.',
    );
  }
  if (count !== images.count) {
    throw new PseudolabelError(
      'E_DATA_COUNT',
      `${path} has ${count} labels for the ${images.count} images of ${images.path}`,
      'Take both files from the same data set; for images whose class nobody knows, write the label 255 (in bytes) or -1.',
    );
  }
  const labels = isTable ? values.filter((_, i) => i % columns === 0) : values;
  const least = labels.reduce((smallest, label) => Math.min(smallest, label), 0);
  if (least >= -1) return { path, values: labels, isUnsigned };
  throw new PseudolabelError(
    'E_DATA_CLASSES',
    `${path} has the label ${least}`,
    'Number the classes from 0; -1 says that nobody knows the class.',
  );
}

/**
 * Replaces 255 by -1 in files of unsigned bytes. If the training labels have all values from 0 to 255, and the test
 * labels, if there are any, have 255, then 255 is a class and stays. test: undefined if none of its labels is known.
 */
function withoutUnknown(
  train: Labels | undefined,
  test: Labels | undefined,
): { readonly train: Labels | undefined; readonly test: Labels | undefined } {
  const isClass = new Set(train?.values).size === 256 && (test?.values.includes(UNKNOWN_BYTE) ?? true);
  const known = (labels: Labels | undefined): Labels | undefined =>
    labels?.isUnsigned && !isClass
      ? { ...labels, values: labels.values.map((label) => (label === UNKNOWN_BYTE ? -1 : label)) }
      : labels;
  const knownTest = known(test);
  const unknown = knownTest?.values.reduce((sum, label) => sum + Number(label < 0), 0) ?? 0;
  if (unknown === knownTest?.values.length) return { train: known(train), test: undefined };
  if (unknown === 0) return { train: known(train), test: knownTest };
  const label = test!.isUnsigned ? UNKNOWN_BYTE : -1;
  throw new PseudolabelError(
    'E_DATA_CLASSES',
    `${test!.path} has the label ${label}, which says that nobody knows the class, for ${unknown} of its ${test!.values.length} images`,
    `Leave images without labels out of the test files; if ${label} is a class, give it another number in all label files.`,
  );
}

function foundSet({ path, count, images }: Images, labels: Labels | undefined): FoundSet {
  return { path: labels?.path ?? path, count, ids: undefined, labels: undefined, images };
}
