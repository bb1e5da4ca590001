// Finds the names of the classes of IDX files in a file beside them: EMNIST's mapping, or KMNIST's class map.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { PseudolabelError } from '../../errors.js';
import { readText, Unreadable, whyNotRead } from '../../files/read.js';
import type { Label } from '../source.js';

const MOST_BYTES = 2 ** 20;

export interface IdxNames {
  readonly classNames: readonly string[] | undefined;
  /** Returns the label of a value of the file: a position in classNames if there are names. */
  label(value: number): Label;
}

/**
 * Reads the names.
 * @param prefix the beginning of the names of the data set's files: 'emnist-letters-'. Throws E_DATA_MISSING and
 * E_DATA_CLASSES.
 */
export async function idxClassNames(folder: string, prefix: string): Promise<IdxNames> {
  const files = await readdir(folder);
  const mapping = files.find((name) => name.toLowerCase() === `${prefix}mapping.txt`);
  const classMap = files.find((name) => /^k(mnist|49)_classmap\.csv$/i.test(name));
  const unknownIf = (value: number): Label => (value < 0 ? undefined : value);
  const file = mapping ?? classMap;
  if (file === undefined) return { classNames: undefined, label: unknownIf };
  const path = join(folder, file);
  const text = await readText(path, MOST_BYTES).catch((cause: unknown) => {
    const why = cause instanceof Unreadable ? cause.message : `cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', `${path} ${why}`, 'Check who may read it, or take it away.', {
      cause,
    });
  });
  const names = file === mapping ? mappingOf(path, text) : classMapOf(path, text);
  const numbers = [...names.keys()].sort((a, b) => a - b);
  const positions = new Map(numbers.map((number, position) => [number, position]));
  return {
    classNames: numbers.map((number) => names.get(number)!),
    label: (value) => {
      if (value < 0 || positions.has(value)) return positions.get(value);
      throw unnamed(path, value);
    },
  };
}

/** Reads lines of a label and the code points of its characters, such as 1 65 97. */
function mappingOf(path: string, text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split(/\r?\n/).filter((each) => each.trim() !== '')) {
    const numbers = line.trim().split(/\s+/).map(Number);
    const [label, ...points] = numbers;
    const areRight = points.length > 0 && points.every((point) => point > 32 && point <= 0xffff);
    if (!numbers.every(Number.isInteger) || !areRight || names.has(label!)) throw notNames(path, line);
    names.set(label!, String.fromCodePoint(...points));
  }
  return names;
}

/** Reads a table of index, code point and character. */
function classMapOf(path: string, text: string): Map<number, string> {
  let rows: string[][];
  try {
    rows = parse(text, { bom: true, trim: true, skip_empty_lines: true, relax_column_count: true });
  } catch {
    throw notNames(path, text.slice(0, 50));
  }
  const names = new Map<number, string>();
  for (const row of rows.slice(1)) {
    const [label, name] = [Number(row[0]), row[2] ?? ''];
    if (!Number.isInteger(label) || name === '' || names.has(label)) throw notNames(path, row.join(','));
    names.set(label, name);
  }
  return names;
}

const FIX = 'Take it from the same data set as the images, or take it away: classes are then called by their numbers.';

function notNames(path: string, line: string): PseudolabelError {
  return new PseudolabelError('E_DATA_CLASSES', `${path} does not name classes: ${line.slice(0, 50)}`, FIX);
}

function unnamed(path: string, label: number): PseudolabelError {
  return new PseudolabelError('E_DATA_CLASSES', `${path} does not say what the label ${label} is called`, FIX);
}
