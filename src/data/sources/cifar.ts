// The data source of the binary version of CIFAR-10 and CIFAR-100: records of labels and three planes of 32 x 32
// pixels.
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { PseudolabelError } from '../../errors.js';
import { readBytes, Unreadable, whyNotRead } from '../../files/read.js';
import { byName } from '../classes.js';
import { entriesOf, type ListFolder } from '../listing.js';
import type { Collection, DataSource, FoundSet, Label, SourceOptions } from '../source.js';
import { roomFor } from './room.js';

const SIDE = 32;
const CHANNELS = 3;
const PLANE = SIDE * SIDE;
const PIXELS = PLANE * CHANNELS;
const UNKNOWN_BYTE = 255;
/** The largest file, CIFAR-100's training set, has 154 MB. */
const MOST_BYTES = 2 ** 28;
const MOST_NAMES_BYTES = 2 ** 16;

/** The two data sets: how to recognise them, and where their parts are. */
const KINDS = [
  {
    folder: 'cifar-10-batches-bin',
    train: /^data_batch_\d+\.bin(\.gz)?$/,
    test: /^test_batch\.bin(\.gz)?$/,
    names: 'batches.meta.txt',
    labelBytes: 1,
    classes: 10,
  },
  {
    folder: 'cifar-100-binary',
    train: /^train\.bin(\.gz)?$/,
    test: /^test\.bin(\.gz)?$/,
    names: 'fine_label_names.txt',
    labelBytes: 2, // coarse, then fine
    classes: 100,
  },
] as const;
type Kind = (typeof KINDS)[number];

const PICKLED_FOLDERS = ['cifar-10-batches-py', 'cifar-100-python'];

export const CIFAR: DataSource = {
  name: 'cifar',
  reads: 'a folder of CIFAR-10 or CIFAR-100 in the binary version',
  recognises: async (path, list) => (await find(path, list)) !== undefined || (await isPickled(path, list)),
  open: openCifar,
};

interface Found {
  readonly kind: Kind;
  readonly folder: string;
  readonly files: readonly string[];
}

/** Finds a data set in the folder, or in the folder within it that the archive unpacks to. */
async function find(path: string, list: ListFolder): Promise<Found | undefined> {
  for (const kind of KINDS)
    for (const folder of [path, join(path, kind.folder)]) {
      const files = (await entriesOf(folder, list)).map(({ name }) => name);
      if (files.some((name) => kind.train.test(name))) return { kind, folder, files };
    }
  return undefined;
}

async function isPickled(path: string, list: ListFolder): Promise<boolean> {
  const entries = await entriesOf(path, list);
  // Folders of pictures may be called train, test and meta.
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const has = (...wanted: string[]): boolean => wanted.every((name) => files.includes(name));
  return (
    entries.some(({ name }) => PICKLED_FOLDERS.includes(name)) ||
    has('data_batch_1', 'batches.meta') ||
    has('train', 'test', 'meta')
  );
}

async function openCifar(path: string, { list }: SourceOptions): Promise<Collection> {
  const found = await find(path, list);
  if (found === undefined) {
    const isPython = await isPickled(path, list);
    throw new PseudolabelError(
      isPython ? 'E_DATA_FORMAT' : 'E_DATA_MISSING',
      isPython
        ? `${path} has the Python version of CIFAR, which is pickled: to read it could run any program`
        : `${path} has no files of CIFAR`,
      'Fetch the binary version (cifar-10-binary.tar.gz, cifar-100-binary.tar.gz) and unpack it.',
    );
  }
  const { kind, folder, files } = found;
  const pathsOf = (of: RegExp): string[] => {
    const names = files.filter((name) => of.test(name));
    return names
      .filter((name) => !name.endsWith('.gz') || !names.includes(name.slice(0, -3)))
      .sort(byName)
      .map((name) => join(folder, name));
  };
  const [train, test] = [pathsOf(kind.train), pathsOf(kind.test)];
  return {
    classNames: files.includes(kind.names) ? await namesOf(join(folder, kind.names)) : undefined,
    train: await readSet(folder, train, kind),
    test: test.length > 0 ? await readSet(folder, test, kind) : undefined,
    notes:
      kind.classes === 10 && train.length < 5
        ? [`${folder} has ${train.length} of the 5 training files of CIFAR-10`]
        : [],
  };
}

async function namesOf(path: string): Promise<string[]> {
  const lines = (await contentOf(path, MOST_NAMES_BYTES)).toString('utf8').split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== '');
}

async function readSet(folder: string, paths: readonly string[], kind: Kind): Promise<FoundSet> {
  const record = kind.labelBytes + PIXELS;
  const counts = await Promise.all(paths.map(async (path) => (await contentOf(path)).length / record));
  for (const [i, count] of counts.entries()) {
    if (Number.isInteger(count) && count > 0) continue;
    const message = `${paths[i]} has ${count * record} bytes, which are no whole records of ${record}`;
    throw new PseudolabelError('E_DATA_TRUNCATED', message, 'Fetch the file again, or unpack it again.');
  }
  const count = counts.reduce((sum, each) => sum + each, 0);
  const store = roomFor(folder, count, PIXELS);
  const labels: Label[] = [];
  for (const path of paths) {
    const bytes = await contentOf(path);
    for (let at = 0; at + record <= bytes.length && labels.length < count; at += record) {
      interleave(bytes.subarray(at + kind.labelBytes, at + record), store.at(labels.length));
      labels.push(labelOf(path, bytes[at + kind.labelBytes - 1]!, kind));
    }
  }
  const images = { kind: 'plain', height: SIDE, width: SIDE, channels: CHANNELS, store } as const;
  return { path: paths.length === 1 ? paths[0]! : folder, count, ids: undefined, labels, images };
}

/** Turns red, green and blue planes into pixels. */
function interleave(planes: Uint8Array, image: Uint8Array): void {
  for (let channel = 0; channel < CHANNELS; channel++)
    for (let pixel = 0; pixel < PLANE; pixel++) image[pixel * CHANNELS + channel] = planes[channel * PLANE + pixel]!;
}

function labelOf(path: string, label: number, { classes }: Kind): Label {
  if (label === UNKNOWN_BYTE) return undefined;
  if (label < classes) return label;
  const message = `${path} has the label ${label}, where CIFAR-${classes} has 0 to ${classes - 1}`;
  throw new PseudolabelError('E_DATA_CLASSES', message, 'Fetch the file again; 255 says that nobody knows the class.');
}

async function contentOf(path: string, mostBytes = MOST_BYTES): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readBytes(path, mostBytes);
  } catch (cause) {
    const why = cause instanceof Unreadable ? cause.message : `cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', `${path} ${why}`, 'Check the path and who may read it.', { cause });
  }
  if (!path.endsWith('.gz')) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes });
  } catch (cause) {
    const message = `${path} is damaged, or has more than ${mostBytes} bytes unpacked`;
    throw new PseudolabelError('E_DATA_CHECKSUM', message, 'Fetch the file again.', { cause });
  }
}
