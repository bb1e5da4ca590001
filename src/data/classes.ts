// Finds the classes of a data set from the labels that a source found.
import { PseudolabelError } from '../errors.js';
import { UNKNOWN } from './dataset.js';
import type { Collection, FoundSet, Label } from './source.js';

const MOST_NAME_LENGTH = 200;
/** The most names in a message. */
const MOST_TOLD = 10;

export interface Classes {
  readonly names: readonly string[];
  /** Positions in `names`, or UNKNOWN. */
  readonly train: Uint16Array;
  /** The same for the test set. undefined if there is no test set, or if none of its labels is known. */
  readonly test: Uint16Array | undefined;
  /** Classes that the format names but no image has. They are not in `names`. */
  readonly unlabelled: readonly string[];
}

/**
 * Finds the classes of all labels in the training set, or, if none of those is known, in the test set. The classes that
 * the format names come first, in its order; then numbers by their value, and names in the order of byName().
 * Throws E_DATA_CLASSES if a test image has no label, or one that no training image has.
 */
export function classesOf({ classNames: given, train, test }: Collection): Classes {
  const classNames = given?.map((name) => name.normalize('NFC'));
  const nameOf = (label: Label): string | undefined =>
    label === undefined
      ? undefined
      : ((typeof label === 'number' ? classNames?.[label] : undefined) ?? String(label).normalize('NFC'));
  const named = ({ labels }: FoundSet): (string | undefined)[] | undefined => labels?.map(nameOf);
  const trainNames = named(train);
  const testNames = test && named(test);
  const isTested = testNames?.some((name) => name !== undefined) ?? false;
  const occur = occurring(trainNames) ?? occurring(testNames) ?? new Set<string>();
  checkNames(train.path, occur);
  // Classes that the format does not name come after those that it names. Two labels with the same name are one class.
  const ordered = new Set(classNames?.filter((name) => occur.has(name)));
  const names = [...ordered, ...[...occur].filter((name) => !ordered.has(name)).sort(byName)];
  const positions = new Map(names.map((name, position) => [name, position]));
  const positionsOf = (count: number, of: typeof trainNames): Uint16Array =>
    Uint16Array.from({ length: count }, (_, i) => positions.get(of?.[i] ?? '') ?? UNKNOWN);
  if (isTested) checkTest(test!, testNames!, positions, train.path);
  return {
    names,
    train: positionsOf(train.count, trainNames),
    test: isTested ? positionsOf(test!.count, testNames) : undefined,
    unlabelled: classNames?.filter((name) => !occur.has(name)) ?? [],
  };
}

/** Checks that the names can stand in reports, on terminals and in files. */
function checkNames(path: string, names: ReadonlySet<string>): void {
  for (const name of names) {
    if (name !== '' && name.length <= MOST_NAME_LENGTH && !/\p{Cc}/u.test(name)) continue;
    const message = `${path} has a class called ${JSON.stringify(name.slice(0, 50))}`;
    const fix = `Give it a name of 1 to ${MOST_NAME_LENGTH} characters, without control characters.`;
    throw new PseudolabelError('E_DATA_CLASSES', message, fix);
  }
}

/**
 * Returns a name without differences that a person does not see: 'Grey cat ' and 'grey  CAT' are the same, and so are
 * '1' and '01'. Single letters keep their case, because an alphabet has both.
 */
export const plainName = (name: string): string =>
  Array.from(name.trim()).length === 1
    ? name.trim()
    : name
        .trim()
        .replace(/\s+/g, ' ')
        .replace(/\d+/g, (run) => run.replace(/^0+(?=\d)/, ''))
        .toLowerCase();

/**
 * Returns a warning if classes have nearly the same name, because a typing mistake makes a new class. Returns undefined
 * if none have.
 */
export function alikeNote(names: readonly string[]): string | undefined {
  const groups = new Map<string, string[]>();
  for (const name of names) groups.set(plainName(name), [...(groups.get(plainName(name)) ?? []), name]);
  const alike = [...groups.values()].filter((group) => group.length > 1);
  if (alike.length === 0) return undefined;
  const told = toldNames(alike.map((group) => group.map((name) => JSON.stringify(name)).join(' and ')));
  return `classes that differ in case, spaces or leading zeros alone: ${told}; if they are one, give them the same name`;
}

/** Returns the first names of a list, and the number of the others. */
export function toldNames(names: readonly string[]): string {
  const more = names.length - MOST_TOLD;
  return names.slice(0, MOST_TOLD).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** Returns the different names among these, or undefined if there are none. */
function occurring(names: readonly (string | undefined)[] | undefined): ReadonlySet<string> | undefined {
  const found = new Set((names ?? []).filter((name) => name !== undefined));
  return found.size > 0 ? found : undefined;
}

function checkTest(
  { path, count }: FoundSet,
  names: readonly (string | undefined)[],
  positions: ReadonlyMap<string, number>,
  trainPath: string,
): void {
  const unknown = names.reduce((sum, name) => sum + Number(name === undefined), 0);
  if (unknown > 0)
    throw new PseudolabelError(
      'E_DATA_CLASSES',
      `${path}: nobody knows the class of ${unknown} of the ${count} test images`,
      'Leave test images without labels out of the test set, or label them.',
    );
  const other = names.find((name) => !positions.has(name!));
  if (other === undefined) return;
  throw new PseudolabelError(
    'E_DATA_CLASSES',
    `${path} has the label ${other}, which no training label of ${trainPath} is`,
    'Take all files from the same data set, or leave the test images of this class out.',
  );
}

/** Compares names as people number them: runs of digits by their value, everything else by its code units. */
export const byName = (a: string, b: string): number => compare(orderOf(a), orderOf(b)) || compare(a, b);

/**
 * Returns a text for each name, whose order as texts is that of the names. Names that differ only by leading zeros get
 * the same text. A number has its length before its digits, so that a longer one comes later. A name that ends, or
 * continues with a number, comes before one that continues with another character. No name has a zero character, or a
 * run of as many digits as there are characters.
 */
export const orderOf = (name: string): string =>
  name.replace(/\d+/g, (run: string, at: number) => {
    const digits = run.startsWith('0') ? run.replace(/^0+/, '') : run;
    return `${at === 0 ? '0' : '\0'}${String.fromCharCode(digits.length)}${digits}`;
  });

export const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
