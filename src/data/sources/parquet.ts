// The data source of Parquet files, as the Hugging Face hub has them: pictures and labels in columns, splits by the
// names of files.
import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { PseudolabelError } from '../../errors.js';
import { byName } from '../classes.js';
import { entriesOf, type ListFolder } from '../listing.js';
import type { Collection, DataSource, FoundSet, Label, SourceOptions } from '../source.js';
import type { ParquetFile } from './parquet-file.js';

/** How deep files may be below the given folder: default/train/0000.parquet. */
const MOST_DEPTH = 3;
const MOST_FOLDERS = 200;

const SPLIT =
  /(?:^|[-_./])(train|training|test|testing|validation|valid|val|dev|unsupervised|unlabell?ed)(?=[-_./]|$)/i;
type Split = 'train' | 'test' | 'unlabelled' | 'unused';

export const PARQUET: DataSource = {
  name: 'parquet',
  reads: 'Parquet files as on the Hugging Face hub',
  recognises: async (path, list) => isParquet(path) || (await filesIn(path, list, 1)).length > 0,
  open: openFiles,
};

const isParquet = (name: string): boolean => /\.parquet$/i.test(name);

/**
 * Lists the Parquet files of a folder, relative to it.
 * @param most the number of files at which the search stops
 */
async function filesIn(folder: string, list: ListFolder, most = Number.POSITIVE_INFINITY): Promise<string[]> {
  const files: string[] = [];
  let folders = [''];
  let left = MOST_FOLDERS;
  for (let depth = 0; depth <= MOST_DEPTH && folders.length > 0; depth++) {
    const next: string[] = [];
    for (const inner of folders.slice(0, left)) {
      const entries = await entriesOf(join(folder, inner), list);
      for (const entry of entries) {
        if (entry.name.startsWith('.')) continue;
        if (entry.isDirectory()) next.push(join(inner, entry.name));
        else if (isParquet(entry.name)) files.push(join(inner, entry.name));
        if (files.length >= most) return files;
      }
    }
    left -= folders.length;
    folders = left > 0 ? next : [];
  }
  return files.map((file) => file.split(sep).join('/')).sort(byName);
}

async function openFiles(path: string, { followLinks, list }: SourceOptions): Promise<Collection> {
  const isFolder = (await stat(path)).isDirectory();
  const notes: string[] = [];
  const names = isFolder ? await insideOnly(path, await filesIn(path, list), followLinks, notes) : [''];
  const splits = new Map<Split, string[]>();
  for (const name of names) {
    const split = isFolder ? splitOf(name) : 'train';
    splits.set(split, [...(splits.get(split) ?? []), name]);
  }
  const of = (split: Split): string[] => splits.get(split) ?? [];
  checkFolders(path, [...of('train'), ...of('test')]);
  if (of('unused').length > 0) notes.push(`not used, since they are of no training or test set: ${told(of('unused'))}`);
  if (of('train').length + of('unlabelled').length === 0) throw noTraining(path, names);
  const { openParquet } = await import('./parquet-file.js'); // it imports packages of 80 modules, which other sources do not need
  const openAll = (files: readonly string[]): Promise<ParquetFile[]> =>
    Promise.all(files.map((name) => openParquet(name === '' ? path : join(path, name))));
  const [train, unlabelled, test] = await Promise.all([
    openAll(of('train')),
    openAll(of('unlabelled')),
    openAll(of('test')),
  ]);
  const classNames = train.concat(test).find((file) => file.classNames)?.classNames;
  return {
    classNames,
    notes,
    train: await setOf(path, train, unlabelled),
    test: test.length > 0 ? await setOf(path, test, []) : undefined,
  };
}

/** Removes links that lead out of the folder. */
async function insideOnly(
  folder: string,
  names: readonly string[],
  followLinks: boolean,
  notes: string[],
): Promise<string[]> {
  if (followLinks) return [...names];
  const root = await realpath(folder);
  const isInside = async (name: string): Promise<boolean> => {
    const real = await realpath(join(folder, name)).catch(() => '');
    return real.startsWith(root.endsWith(sep) ? root : root + sep);
  };
  const inside = await Promise.all(names.map(isInside));
  const outside = names.filter((_, i) => !inside[i]);
  if (outside.length === names.length && names.length > 0) {
    const message = `the Parquet files of ${folder} are links that lead out of it: ${told(outside)}`;
    throw new PseudolabelError(
      'E_DATA_FORMAT',
      message,
      'Follow them with --follow-links, if you trust where they lead.',
    );
  }
  if (outside.length > 0) notes.push(`left out, since they are links that lead out of ${folder}: ${told(outside)}`);
  return names.filter((_, i) => inside[i]);
}

const told = (names: readonly string[]): string =>
  names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '');

/**
 * Returns the split that the name of the file says, or else the name of a folder. A file that says nothing belongs to
 * the training set.
 */
function splitOf(name: string): Split {
  const parts = name
    .replace(/\.parquet$/i, '')
    .split('/')
    .reverse();
  const word =
    parts.map((part) => SPLIT.exec(part)?.[1]?.toLowerCase()).find((found) => found !== undefined) ?? 'train';
  if (word.startsWith('train')) return 'train';
  if (word.startsWith('test')) return 'test';
  return word.startsWith('un') ? 'unlabelled' : 'unused';
}

/** Checks that there is one configuration of the data set. Each has a folder of its own. */
function checkFolders(path: string, names: readonly string[]): void {
  const folders = new Set(
    names.map((name) =>
      name
        .split('/')
        .slice(0, -1)
        .filter((part) => !SPLIT.test(part))
        .join('/'),
    ),
  );
  if (folders.size < 2) return;
  const message = `${path} has Parquet files in several folders: ${told([...folders].map((name) => name || '.').sort(byName))}`;
  throw new PseudolabelError('E_DATA_AMBIGUOUS', message, 'Give one of these folders.');
}

function noTraining(path: string, names: readonly string[]): PseudolabelError {
  const message = names.length > 0 ? `${path} has no training set: ${told(names)}` : `${path} has no Parquet files`;
  return new PseudolabelError('E_DATA_FORMAT', message, 'Call a file with images to train with train.parquet.');
}

/** Returns the names of all pictures, if each has a name that no other has. */
async function idsOf(files: readonly ParquetFile[]): Promise<string[] | undefined> {
  const { NAME_KINDS } = await import('./parquet-names.js');
  for (const kind of NAME_KINDS) {
    const names = await Promise.all(files.map((file) => file.names(kind)));
    if (!names.every((each) => each !== undefined)) continue;
    const ids = names.flat();
    if (new Set(ids).size === ids.length) return ids;
  }
  return undefined;
}

/** Joins files, one after the other. Those of `unlabelled` have no labels, whatever they say. */
async function setOf(
  path: string,
  labelled: readonly ParquetFile[],
  unlabelled: readonly ParquetFile[],
): Promise<FoundSet> {
  const files = [...labelled, ...unlabelled];
  const labels: Label[] = [];
  let areThere = false;
  for (const file of labelled) {
    const found = await file.labels();
    areThere ||= found !== undefined;
    for (let i = 0; i < file.count; i++) labels.push(found?.[i]);
  }
  const starts = files.map((_, i) => files.slice(0, i).reduce((sum, { count }) => sum + count, 0));
  const count = files.reduce((sum, file) => sum + file.count, 0);
  if (count === 0) throw new PseudolabelError('E_DATA_EMPTY', `${files[0]!.path} has no rows`, 'Fetch the file again.');
  while (areThere && labels.length < count) labels.push(undefined);
  const keys = files.map((file) => [relative(path, file.path), file.key]);
  return {
    path: files.length === 1 ? files[0]!.path : path,
    count,
    ids: await idsOf(files),
    labels: areThere ? labels : undefined,
    images: {
      kind: 'encoded',
      key: createHash('sha256').update(JSON.stringify(keys)).digest('hex'),
      picture: (image) => {
        const file = starts.findLastIndex((start) => start <= image);
        return files[file]!.picture(image - starts[file]!);
      },
    },
  };
}
