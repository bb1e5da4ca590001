// Gives images the labels of a file: finds the image that each line names, and replaces the labels that were there.
import type { PseudolabelError } from '../errors.js';
import { whole } from '../format.js';
import { plainName } from './classes.js';
import { guessesNote, type LabelEntry, type LabelsFile, readLabelsFile, wrong } from './labels-file.js';
import type { Collection, FoundSet, Label } from './source.js';

/** The most names in an error. */
const MOST_TOLD = 3;

/** The images that get labels. */
export type Labelled = Pick<FoundSet, 'path' | 'count' | 'ids'>;

/**
 * Returns the label of each image, or undefined if the file does not have it. An entry names an image by its whole id,
 * or by the end of it, with or without the last extension, if no other image ends like that.
 * Throws E_DATA_LABELS for an entry of no image or of several, and for two entries that contradict each other.
 * @param others ids of images that the file may name as well, such as those of the test set
 */
export function labelsFor(images: Labelled, file: LabelsFile, others: readonly string[] = []): Label[] {
  const labels: Label[] = Array(images.count).fill(undefined);
  const lines = new Map<number, number>();
  const find = finderFor(images, file, new Set(others.map(normalised)));
  const lost: LabelEntry[] = [];
  for (const entry of file.entries) {
    const image = find(entry);
    if (image === undefined) lost.push(entry);
    if (image === undefined || image === OTHER || entry.label === undefined) continue;
    const before = labels[image];
    if (before !== undefined && before !== entry.label) throw contradiction(file, entry, before, lines.get(image)!);
    labels[image] = entry.label;
    lines.set(image, entry.line);
  }
  if (lost.length > 0) throw noImage(images, file, lost);
  return labels;
}

/** Stands for an image that is not in the set, and need not be. */
const OTHER = -1;
/** Stands for several images that end in the same name. */
const SEVERAL = -2;

type Find = (entry: LabelEntry) => number | undefined;

function finderFor({ count, ids }: Labelled, { path, by }: LabelsFile, others: ReadonlySet<string>): Find {
  const indexOf: Find = ({ image }) =>
    /^\d{1,15}(\.0+)?$/.test(image) && Number(image) < count ? Number(image) : undefined;
  if (by === 'index' || ids === undefined) return indexOf;
  const whole = new Map(ids.map((id, i) => [normalised(id), i]));
  // The map of ends is made only when it is needed. Most files have whole ids, and there are many ends.
  let ends: ReadonlyMap<string, number> | undefined;
  return (entry) => {
    const name = nameOf(path, entry);
    if (whole.has(name)) return whole.get(name);
    if (others.has(name)) return OTHER;
    ends ??= endsOf(ids);
    const image = ends.get(name);
    if (image !== SEVERAL) return image;
    const several = ids.filter((id) => endings(normalised(id)).includes(name)).slice(0, MOST_TOLD);
    throw wrong(
      `${path} names ${entry.image} in line ${entry.line}, which may be ${several.join(' or ')}`,
      'Write the whole path of the image within the folder.',
    );
  };
}

const normalised = (id: string): string => id.normalize('NFC');

/** Returns the path of an entry, with / between folders. Throws if it leads out of the folder. */
function nameOf(path: string, { image, line }: LabelEntry): string {
  const name = normalised(image)
    .replaceAll('\\', '/')
    .replace(/^(\.\/+)+/, '');
  const isOutside = /^(\/|[a-z]:|~\/)/i.test(name) || name.split('/').includes('..');
  if (!isOutside) return name;
  throw wrong(
    `${path} names ${image} in line ${line}, which is not a path within the folder`,
    'Write the paths of the images within the folder, without .. and without a / before them.',
  );
}

function endsOf(ids: readonly string[]): ReadonlyMap<string, number> {
  const ends = new Map<string, number>();
  for (const [i, id] of ids.entries())
    for (const end of new Set(endings(normalised(id)))) ends.set(end, ends.has(end) ? SEVERAL : i);
  return ends;
}

/** Returns the ends of an id: a/b.png, a/b, b.png and b for a/b.png. */
function endings(id: string): string[] {
  const parts = id.split('/');
  const ends = parts.map((_, i) => parts.slice(i).join('/'));
  return ends.flatMap((end) => [end, end.replace(/\.[^./]+$/, '')]);
}

function contradiction({ path }: LabelsFile, entry: LabelEntry, before: Label, line: number): PseudolabelError {
  const message = `${path} says in line ${line} that ${entry.image} is ${before}, in line ${entry.line} that it is ${entry.label}`;
  return wrong(message, 'Leave one of the two lines.');
}

function noImage(images: Labelled, { path, by }: LabelsFile, lost: readonly LabelEntry[]): PseudolabelError {
  const told = lost.slice(0, MOST_TOLD).map(({ image, line }) => `${image} (line ${line})`);
  const more = lost.length > MOST_TOLD ? ` and ${lost.length - MOST_TOLD} more` : '';
  const message = `${path} names ${told.join(', ')}${more}, which no image of ${images.path} is`;
  const isByIndex = by === 'index' || images.ids === undefined;
  const fix = isByIndex
    ? `The images have the indices 0 to ${images.count - 1}: name them by these, in a column called index.`
    : `Name the images by their paths within the folder; the first is called ${images.ids[0]}. A header says file,label; index,label is for their positions, from 0.`;
  return wrong(message, fix);
}

/**
 * Returns the collection with the labels of a file instead of its training labels. Images that the file does not name
 * have no label. The class names stay if all labels are among them, by their name or else by their number.
 * Throws E_DATA_MISSING and E_DATA_LABELS.
 */
export async function withLabelsFile(collection: Collection, path: string): Promise<Collection> {
  const { train, test, classNames } = collection;
  const file = await readLabelsFile(path);
  const found = labelsFor(train, file, test?.ids);
  const known = found.filter((label) => label !== undefined);
  const note = `the training labels are those of ${path}: ${known.length} of ${train.count} images have one`;
  const guessed = guessesNote(file);
  const told = [note, ...(guessed === undefined ? [] : [guessed]), ...comparedWith(train.labels ?? [], found, file)];
  const notes = [...collection.notes, ...told];
  const positions = new Map(classNames?.map((name, position) => [name.normalize('NFC'), position]));
  const areNames = known.every((label) => positions.has(String(label)));
  const areNumbers = known.every((label) => typeof label === 'number' && label < positions.size);
  if (classNames && (areNames || areNumbers)) {
    const labels = areNames ? found.map((label) => positions.get(String(label))) : found;
    return { ...collection, train: { ...train, labels }, notes };
  }
  const named = test?.labels?.map((label) => (typeof label === 'number' ? (classNames?.[label] ?? label) : label));
  return {
    classNames: undefined,
    notes,
    train: { ...train, labels: found },
    test: test && { ...test, labels: named },
  };
}

/**
 * Returns what the user should know about labels that replace others: how many are lost, and which classes are new,
 * because a typing mistake makes a new class.
 * Throws E_DATA_LABELS for a class that differs from another only in case, spaces or leading zeros.
 */
function comparedWith(before: readonly Label[], now: readonly Label[], { path }: LabelsFile): string[] {
  const lost = before.filter((label, image) => label !== undefined && now[image] === undefined).length;
  const classes = new Set(before.filter((label) => label !== undefined).map(String));
  const alike = new Map([...classes].map((name) => [plainName(name), name]));
  const others = new Set<string>();
  for (const label of now) {
    if (label === undefined || classes.has(String(label))) continue;
    const other = alike.get(plainName(String(label)));
    if (other !== undefined && other !== String(label) && typeof label === 'string')
      throw wrong(`${path} has a class ${label}, another is called ${other}`, 'Write both the same way.');
    alike.set(plainName(String(label)), String(label));
    others.add(String(label));
  }
  const areNew = classes.size > 0 && [...classes].every((name) => Number.isNaN(Number(name))) && others.size > 0;
  return [
    ...(lost > 0 ? [`${whole(lost)} labels that the images had are not in ${path}: they are not used`] : []),
    ...(areNew ? [`classes that are in ${path} alone: ${[...others].sort().slice(0, MOST_TOLD).join(', ')}`] : []),
  ];
}
