// The table of data sources. The first that recognises a path reads it.
import { stat } from 'node:fs/promises';
import { PseudolabelError } from '../../errors.js';
import { whyNotRead } from '../../files/read.js';
import { folderLister, type ListFolder } from '../listing.js';
import type { DataSource } from '../source.js';
import { CIFAR } from './cifar.js';
import { FOLDER } from './folder.js';
import { IDX } from './idx-folder.js';
import { NPZ } from './npz.js';
import { PACK } from './pack.js';
import { PARQUET } from './parquet.js';

/**
 * The sources in the order in which they are asked. Pictures come last, because they may be beside the files of another
 * format.
 */
export const SOURCES: readonly DataSource[] = [IDX, CIFAR, NPZ, PARQUET, PACK, FOLDER];

/** The values of --format. */
export const FORMATS: readonly string[] = SOURCES.map(({ name }) => name);

/**
 * Returns the source called `format`, or else the first that recognises the path. Throws E_DATA_MISSING, E_DATA_FORMAT
 * and E_CONFIG.
 */
export async function sourceFor(path: string, format?: string, list: ListFolder = folderLister()): Promise<DataSource> {
  try {
    await stat(path);
  } catch (cause) {
    const message = `${path} cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
  }
  if (format !== undefined) {
    const named = SOURCES.find(({ name }) => name === format);
    if (named) return named;
    throw new PseudolabelError('E_CONFIG', `format: there is no ${format}`, `give one of ${FORMATS.join(', ')}`);
  }
  for (const source of SOURCES) if (await source.recognises(path, list)) return source;
  const inside = await list(path).catch(() => undefined);
  if (inside?.length === 0)
    throw new PseudolabelError('E_DATA_MISSING', `${path} is empty`, 'Give the folder that holds the images.');
  const known = SOURCES.map(({ name, reads }) => `${reads} (${name})`).join(', ');
  const similar = nearMissOf(path);
  throw new PseudolabelError(
    'E_DATA_FORMAT',
    similar ? `${path} is ${similar.what}, which is not read as it is` : `${path} is none of the data that can be read`,
    similar?.fix ?? `Give one of these: ${known}. If it is one, say which: --format NAME.`,
  );
}

const UNPACK = 'Unpack it, and give the folder that comes out of it.';

/** Files that users have but no source reads, by the end of their name, and what to do with them. */
const NEAR_MISSES: readonly { readonly end: RegExp; readonly what: string; readonly fix: string }[] = [
  { end: /\.zip$/i, what: 'a zip archive', fix: UNPACK },
  { end: /\.(tar|tar\.\w+|tgz|tbz2?|txz|7z|rar)$/i, what: 'an archive', fix: UNPACK },
  { end: /\.(h5|hdf5|hdf)$/i, what: 'an HDF5 file', fix: saveAs("h5py.File('data.h5')") },
  { end: /\.mat$/i, what: 'a MATLAB file', fix: saveAs("scipy.io.loadmat('data.mat')") },
  { end: /\.(pkl|pickle|pt|pth|joblib)$/i, what: 'a pickle, which can run any program', fix: saveAs('it') },
  { end: /\.tfrecords?(-\d+-of-\d+)?$/i, what: 'a TFRecord file', fix: saveAs('tfds.as_numpy(...)') },
  { end: /\.arrow$/i, what: 'an Arrow file', fix: "Write it as Parquet: dataset.to_parquet('train.parquet')." },
  {
    end: /\.(csv|tsv|txt|json)$/i,
    what: 'a text file',
    fix: 'Give the images here, a folder or one of the formats of --help, and a file of their labels with --labels.',
  },
  {
    end: /(ubyte|int)(\.gz)?$/i,
    what: 'one file of IDX',
    fix: 'Give the folder that holds it, with the images and the labels of the training set.',
  },
  { end: /\.(png|jpe?g|webp|gif|tiff?|bmp)$/i, what: 'one picture', fix: 'Give the folder that holds the pictures.' },
];

function saveAs(read: string): string {
  return `Load it in Python (${read}) and save its arrays: numpy.savez('data.npz', x_train=..., y_train=...).`;
}

const nearMissOf = (path: string) => NEAR_MISSES.find(({ end }) => end.test(path));
