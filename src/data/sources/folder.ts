// The data source of folders of pictures: one folder per class, as in torchvision's ImageFolder, or pictures with
// labels.csv beside them.
import { extname, join } from 'node:path';
import { PseudolabelError } from '../../errors.js';
import { counted } from '../../format.js';
import { guessesNote, readLabelsFile } from '../labels-file.js';
import { labelsFor } from '../labels-for.js';
import { entriesOf, type ListFolder } from '../listing.js';
import { EXTENSIONS } from '../pictures/format.js';
import type { Collection, DataSource, FoundSet, Label, SourceOptions } from '../source.js';
import { keyOfFiles, leftOut, type PictureFiles, picturesIn } from './picture-files.js';

/** The most folders that are searched for a first picture. */
const MOST_LOOKS = 1000;

/** The default folder of images without a label. */
const USUAL = 'unlabelled';

/**
 * Folders beside that of the training set that are not used; validation images are drawn from the labelled images
 * instead.
 */
const VALIDATION = ['val', 'valid', 'validation'];

/**
 * Reads pictures in folders of classes, with a folder of pictures whose class is unknown; or in any folders, with a
 * file labels.csv or labels.tsv. train/ and test/ may be above them. open throws PseudolabelError E_DATA_*.
 */
export const FOLDER: DataSource = {
  name: 'folder',
  reads: 'a folder of pictures, by class or with labels.csv',
  recognises: hasPictures,
  open: openFolder,
};

async function hasPictures(path: string, list: ListFolder): Promise<boolean> {
  const folders = [path];
  for (let looks = 0; folders.length > 0 && looks < MOST_LOOKS; looks++) {
    const folder = folders.shift()!;
    for (const entry of await entriesOf(folder, list)) {
      if (entry.isDirectory()) folders.push(join(folder, entry.name));
      else if (EXTENSIONS.has(extname(entry.name).slice(1).toLowerCase())) return true;
    }
  }
  return false;
}

async function openFolder(root: string, options: SourceOptions): Promise<Collection> {
  const found = await picturesIn(root, options);
  const names = unlabelledNames(options.unlabelled);
  if (options.unlabelled !== USUAL && !hasFolder(found, options.unlabelled))
    throw noUnlabelled(root, options.unlabelled);
  const isSplit = hasTrainFolder(found, names);
  const isTest = (id: string): boolean => isSplit && topOf(id) === 'test';
  const isUnused = (id: string): boolean => isSplit && VALIDATION.includes(topOf(id));
  const test = found.ids.filter(isTest);
  const train = found.ids.filter((id) => !isTest(id) && !isUnused(id));
  if (train.length === 0) throw empty(root, found);
  const unused = leftOut(found.ids.filter(isUnused), 'picture for validation', 'pictures for validation');
  const sets = { root, found, names, isSplit };
  const trainSet = await foundSet(sets, 'train', train, test);
  return {
    classNames: undefined,
    train: trainSet.set,
    test: test.length > 0 ? (await foundSet(sets, 'test', test, train)).set : undefined,
    notes: [...found.notes, unused, trainSet.note].filter((note) => note !== undefined),
  };
}

/** Returns the names of the folder, with the other spelling of the default name. */
const unlabelledNames = (name: string): string[] => (name === USUAL ? [name, 'unlabeled'] : [name]);

/** Returns whether there is such a folder in one of the places where it is looked for. */
const hasFolder = ({ folders }: PictureFiles, name: string): boolean =>
  folders.includes(name) || folders.includes(`train/${name}`);

/**
 * Makes the error for a folder that is missing. Without it, a misspelt name would turn the images without a label into
 * a class.
 */
function noUnlabelled(root: string, name: string): PseudolabelError {
  const message = `${root} has no folder ${name}, nor train/${name}`;
  return new PseudolabelError(
    'E_DATA_MISSING',
    message,
    'Give --unlabelled the name of a folder there, or leave it out.',
  );
}

const topOf = (id: string): string => (id.includes('/') ? id.slice(0, id.indexOf('/')) : '');

/** Returns whether train/ holds the training set and is no class: beside it there are only folders of a split. */
function hasTrainFolder({ ids }: PictureFiles, unlabelled: readonly string[]): boolean {
  const tops = new Set(ids.map(topOf));
  const splits = ['train', 'test', ...VALIDATION, ...unlabelled];
  return tops.has('train') && [...tops].every((top) => splits.includes(top));
}

interface Sets {
  readonly root: string;
  readonly found: PictureFiles;
  readonly names: readonly string[];
  readonly isSplit: boolean;
}

async function foundSet(
  sets: Sets,
  name: 'train' | 'test',
  ids: readonly string[],
  others: readonly string[],
): Promise<{ readonly set: FoundSet; readonly note: string | undefined }> {
  const { root, found, isSplit } = sets;
  const path = isSplit ? join(root, name) : root;
  const file = labelsFileOf(sets, name);
  const set = {
    path,
    count: ids.length,
    ids,
    images: { kind: 'encoded', key: await keyOfFiles(root, ids), picture: (i: number) => join(root, ids[i]!) },
  } as const;
  if (file !== undefined) {
    const inFolder = file.includes('/') ? `${name}/` : '';
    const within = (all: readonly string[]): string[] =>
      all.map((id) => (id.startsWith(inFolder) ? id.slice(inFolder.length) : `../${id}`));
    const entries = await readLabelsFile(join(root, file));
    const labels = labelsFor({ path, count: ids.length, ids: within(ids) }, entries, within(others));
    return { set: { ...set, labels }, note: guessesNote(entries) ?? besideNote(file, ids, sets) };
  }
  const labels = ids.map((id) => classOf(id, sets));
  const beside = ids.filter((id, i) => labels[i] === undefined && isBeside(id, sets));
  const hasClasses = labels.some((label) => label !== undefined);
  const note =
    hasClasses && beside.length > 0
      ? `${counted(beside.length, 'picture')} beside the folders of classes, the first is ${beside[0]}: nobody knows their class`
      : noneOf(found, sets, new Set(labels));
  return { set: { ...set, labels: hasClasses ? labels : undefined }, note };
}

/** Returns a note if folders look like classes although the labels come from a file. */
function besideNote(file: string, ids: readonly string[], sets: Sets): string | undefined {
  const folders = new Set(ids.map((id) => classOf(id, sets)).filter((name) => name !== undefined));
  if (folders.size < 2) return undefined;
  const names = [...folders].slice(0, 3).join(', ');
  return `the labels are those of ${file}: the names of folders (${names}) are no classes`;
}

/** Returns the labels file within the folder of the set, or above it. */
function labelsFileOf({ root, found, isSplit }: Sets, name: 'train' | 'test'): string | undefined {
  const inside = isSplit ? found.labels.filter((id) => id.startsWith(`${name}/labels.`)) : [];
  const files = inside.length > 0 ? inside : found.labels.filter((id) => !id.includes('/'));
  if (files.length < 2) return files[0];
  const message = `${root} has ${files.join(' and ')}`;
  throw new PseudolabelError('E_DATA_AMBIGUOUS', message, 'Leave one of them there, or say which: --labels FILE.');
}

/** Returns the class of a picture: the folder that it is in, below that of the set. */
function classOf(id: string, { isSplit, names }: Sets): Label {
  if (!id.includes('/')) return undefined; // pictures that are all in one folder have no class
  const parts = id.split('/').slice(0, -1);
  if (isSplit && !names.includes(parts[0]!)) parts.shift();
  const [folder] = parts;
  return folder === undefined || names.includes(folder) ? undefined : folder;
}

const isBeside = (id: string, { isSplit }: Sets): boolean =>
  !id.includes('/') || (isSplit && /^(train|test)\/[^/]*$/.test(id));

/** Returns a note about folders at the place of classes that hold no picture. */
function noneOf({ folders }: PictureFiles, { isSplit, names }: Sets, labels: ReadonlySet<Label>): string | undefined {
  const depth = isSplit ? 2 : 1;
  const classes = folders
    .map((folder) => folder.split('/'))
    .filter((parts) => parts.length === depth && (!isSplit || parts[0] === 'train'))
    .map((parts) => parts[depth - 1]!);
  const none = classes.filter((folder) => !labels.has(names.includes(folder) ? undefined : folder));
  if (none.length === 0 || labels.size === 0) return undefined;
  return `no picture is in ${none.slice(0, 5).join(', ')}${none.length > 5 ? ` and ${none.length - 5} more folders` : ''}`;
}

function empty(root: string, { notes }: PictureFiles): PseudolabelError {
  const about = notes.length > 0 ? ` (${notes.join('; ')})` : '';
  return new PseudolabelError(
    'E_DATA_EMPTY',
    `${root} has no training pictures${about}`,
    'Give a folder of PNG, JPEG, WebP, GIF, TIFF or BMP files; those for training in train/ where there is a test/.',
  );
}
