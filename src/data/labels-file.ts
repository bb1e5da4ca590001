// Reads labels from a CSV or TSV file, which names images by their file or by their index.
import { parse } from 'csv-parse/sync';
import { PseudolabelError } from '../errors.js';
import { readBytes, Unreadable, whyNotRead } from '../files/read.js';
import type { Label } from './source.js';

/** Some 3,000,000 lines. While it is read, a line takes several times its bytes. */
const MOST_BYTES = 2 ** 27;
const MOST_RECORD_BYTES = 2 ** 16;
const MOST_LABEL_LENGTH = 200;
/** The most names in an error. */
const MOST_TOLD = 3;

/** Names of columns, the better ones first, in any case. */
const FILE_COLUMNS = ['file', 'filename', 'file_name', 'path', 'image', 'image_path', 'image_id', 'id', 'name'];
const INDEX_COLUMNS = ['index', 'idx', 'row'];
const LABEL_COLUMNS = ['label', 'class', 'target', 'category', 'y', 'class_name', 'label_name'];
/**
 * Columns that `pseudolabel label` writes (labelling/csv-file.ts). The labels of such a file are the model's, not a
 * person's.
 */
const MODEL_COLUMNS = ['confidence', 'runner_up'];
/** Matches a cell that names an image, and so is no column's name; a class may be called y, or target. */
const IMAGE = /^\d+$|\.[a-z]\w{2,3}$/i;
/** Cells that mean that the label is unknown. */
const UNKNOWN_LABELS = new Set(['', '-1', '-1.0', '?']);

export interface LabelEntry {
  /** A file, as it is written, or the index of an image from 0. */
  readonly image: string;
  readonly label: Label;
  /** The line in the file, from 1. */
  readonly line: number;
}

export interface LabelsFile {
  readonly path: string;
  /** How the entries name images. 'either': by their files if images have names, and by their indices otherwise. */
  readonly by: 'index' | 'either';
  readonly entries: readonly LabelEntry[];
  /** Whether a model wrote the labels, so that perhaps nobody has checked them since. */
  readonly areGuesses: boolean;
}

/**
 * Returns a warning if the labels are a model's guesses: a network that learns its own guesses as truth only becomes
 * more certain of its mistakes.
 */
export const guessesNote = ({ path, areGuesses }: LabelsFile): string | undefined =>
  areGuesses
    ? `${path} has labels that a model guessed, and all are taken for true: correct them before, on the page that label --review writes`
    : undefined;

/**
 * Reads a file with a column of images and one of labels. Labels become numbers if all of them are whole numbers. A
 * label that is empty, -1 or ? is unknown.
 * Throws E_DATA_MISSING and E_DATA_LABELS.
 */
export async function readLabelsFile(path: string): Promise<LabelsFile> {
  const records = recordsOf(path, textOf(path, await contentOf(path)));
  const columns = columnsOf(path, records[0]!);
  const first = columns.hasHeader ? 1 : 0;
  const rows = records.slice(first).map(({ cells, line }) => {
    if (cells.length < columns.count || cells.slice(columns.count).some((cell) => cell !== ''))
      throw wrong(`${path} has ${cells.length} columns in line ${line} where line 1 has ${columns.count}`, QUOTE_FIX);
    return { image: cells[columns.image]!, text: labelText(path, cells[columns.label]!, line), line };
  });
  if (rows.length === 0) throw wrong(`${path} has a header and no labels`, 'Write a line for each image with a label.');
  const known = rows.map(({ text }) => text).filter((text) => text !== undefined);
  const areNumbers = known.every((text) => /^(0|[1-9]\d{0,8})(\.0+)?$/.test(text));
  const labelOf = (text: string | undefined): Label => (text !== undefined && areNumbers ? Number(text) : text);
  return {
    path,
    by: columns.by,
    areGuesses: MODEL_COLUMNS.every((name) => records[0]!.cells.some((cell) => cell.toLowerCase() === name)),
    entries: rows.map(({ image, text, line }) => ({ image, label: labelOf(text), line })),
  };
}

const QUOTE_FIX = 'Give every line as many columns as the first, and put names with commas or quotes into quotes.';

async function contentOf(path: string): Promise<Buffer> {
  try {
    return await readBytes(path, MOST_BYTES);
  } catch (cause) {
    if (cause instanceof Unreadable)
      throw wrong(`${path} ${cause.message}`, 'Give a CSV or TSV file with a line for each image.', cause);
    const message = `${path} cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
  }
}

/** Decodes the text. Spreadsheets write UTF-16 with a byte order mark. */
function textOf(path: string, bytes: Buffer): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch (cause) {
    throw wrong(`${path} is not a text in UTF-8`, 'Save it as CSV in UTF-8.', cause);
  }
  throw wrong(`${path} is not a text: it has zero bytes`, 'Save it as CSV in UTF-8.');
}

interface Row {
  readonly cells: readonly string[];
  readonly line: number;
}

/** Returns at least one record. */
function recordsOf(path: string, text: string): Row[] {
  const rows: Row[] = [];
  try {
    parse(text, {
      delimiter: delimiterOf(text),
      record_delimiter: ['\r\n', '\n', '\r'],
      max_record_size: MOST_RECORD_BYTES,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      on_record: (cells: string[], { lines }) => {
        if (cells.some((cell) => cell !== '')) rows.push({ cells, line: lines });
        return null;
      },
    });
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw wrong(`${path} is not a CSV file: ${cause.message}`, QUOTE_FIX, cause);
  }
  if (rows.length === 0) throw wrong(`${path} has no labels`, 'Write a line for each image with a label.');
  return rows;
}

/** Returns the first of these delimiters that the first line has. */
function delimiterOf(text: string): string {
  const first = /[^\r\n]+/.exec(text)?.[0] ?? '';
  return ['\t', ',', ';'].find((each) => first.includes(each)) ?? ',';
}

interface Columns {
  readonly count: number;
  readonly image: number;
  readonly label: number;
  readonly by: LabelsFile['by'];
  readonly hasHeader: boolean;
}

function columnsOf(path: string, { cells }: Row): Columns {
  const names = cells.map((cell) => cell.toLowerCase());
  const find = (known: readonly string[]): number => {
    const column = known.map((name) => names.indexOf(name)).find((each) => each >= 0) ?? -1;
    if (column >= 0 && names.indexOf(names[column]!, column + 1) >= 0)
      throw wrong(`${path} has two columns called ${names[column]}`, 'Leave one of them, or call the other otherwise.');
    return column;
  };
  const [file, index, label, count] = [find(FILE_COLUMNS), find(INDEX_COLUMNS), find(LABEL_COLUMNS), cells.length];
  // pandas writes indices under an empty name.
  const named = Math.max(file < 0 ? index : file, label > 0 && names[0] === '' ? 0 : -1);
  if (named < 0 && count === 2 && IMAGE.test(cells[0]!))
    return { count, image: 0, label: 1, by: 'either', hasHeader: false };
  if ((named >= 0 && label >= 0) || count === 2) {
    const image = named >= 0 ? named : label >= 0 ? 1 - label : 0;
    const by = file < 0 && named >= 0 ? 'index' : 'either';
    return { count, image, label: label >= 0 ? label : 1 - image, by, hasHeader: named >= 0 || label >= 0 };
  }
  throw wrong(
    `${path} has ${count} columns, and its first line does not say which has the ${missingOf(named, label)}: ${cells
      .slice(0, MOST_TOLD * 2)
      .join(', ')
      .slice(0, 200)}`,
    `Call the columns file (or index) and label, or give it these two alone. Known names are ${[...FILE_COLUMNS, ...INDEX_COLUMNS].join(', ')}; and ${LABEL_COLUMNS.join(', ')}.`,
  );
}

const missingOf = (image: number, label: number): string =>
  image < 0 && label < 0 ? 'image and which the label' : image < 0 ? 'image' : 'label';

/** Returns the text of a label, or undefined if it is unknown. */
function labelText(path: string, cell: string, line: number): string | undefined {
  if (UNKNOWN_LABELS.has(cell)) return undefined;
  if (cell.length <= MOST_LABEL_LENGTH && !/\p{Cc}/u.test(cell)) return cell.normalize('NFC');
  throw wrong(
    `${path} has a label in line ${line} that is longer than ${MOST_LABEL_LENGTH} characters, or has control characters`,
    'Check that the column is the one of labels.',
  );
}

export function wrong(message: string, fix: string, cause?: unknown): PseudolabelError {
  return new PseudolabelError('E_DATA_LABELS', message, fix, { cause });
}
