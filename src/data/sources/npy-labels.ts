// Reads labels from NumPy arrays: numbers or texts, one for each image.
import { PseudolabelError } from '../../errors.js';
import type { Label } from '../source.js';
import { type NpyFile, type NpyHeader, numbersOf, readHeader, textsOf } from './npy.js';
import type { Layout } from './pixels.js';

/** The most bytes of all texts of an array, because they are held in memory. */
const MOST_TEXT_BYTES = 2 ** 30;
/** Texts that mean that the label is unknown. */
const UNKNOWN_TEXTS = new Set(['', '-1', '?']);

/**
 * Reads the label of each image. -1, NaN and the empty text mean that it is unknown.
 * Throws E_DATA_SHAPE, E_DATA_COUNT, E_DATA_CLASSES and E_DATA_VALUES.
 */
export async function labelsOf(
  file: NpyFile,
  images: { readonly file: NpyFile; readonly layout: Layout },
): Promise<Label[]> {
  const header = await readHeader(file);
  checkShape(header);
  if (header.count !== images.layout.count) {
    throw new PseudolabelError(
      'E_DATA_COUNT',
      `${file.path} has ${header.count} labels for the ${images.layout.count} images of ${images.file.path}`,
      'Give every image a label, -1 where nobody knows, or put the images without labels into x_unlabelled.',
    );
  }
  if (isText(header)) return (await texts(file, header)).map((text) => (UNKNOWN_TEXTS.has(text) ? undefined : text));
  const labels: Label[] = [];
  for await (const values of numbersOf(file, header))
    for (let i = 0; i < values.length; i++) labels.push(numberLabel(file.path, values[i]!));
  return labels;
}

/** Reads the names of the classes. */
export async function namesOf(file: NpyFile): Promise<string[]> {
  const header = await readHeader(file);
  if (header.shape.length === 1 && isText(header)) return texts(file, header);
  const message = `${file.path} is not a list of texts`;
  throw new PseudolabelError(
    'E_DATA_SHAPE',
    message,
    'Save the names of the classes as numpy.array([...], dtype=str).',
  );
}

const isText = ({ kind }: NpyHeader): boolean => kind === 'unicode' || kind === 'byte string';

/** Checks that the shape is [n] or [n, 1]. */
function checkShape({ path, shape }: NpyHeader): void {
  const [, columns] = shape;
  if (shape.length === 1 || (shape.length === 2 && columns === 1)) return;
  const isOneHot = shape.length === 2 && columns !== 0;
  throw new PseudolabelError(
    'E_DATA_SHAPE',
    `${path} has the shape ${shape.join(' x ') || 'of one number'} where one label for each image is needed`,
    isOneHot ? 'Make numbers of columns that stand for classes: y.argmax(axis=1).' : 'Save one label for each image.',
  );
}

async function texts(file: NpyFile, header: NpyHeader): Promise<string[]> {
  if (header.count * Math.max(1, header.size) <= MOST_TEXT_BYTES) return textsOf(file, header);
  const message = `${file.path} has more than ${MOST_TEXT_BYTES} bytes of texts`;
  throw new PseudolabelError('E_DATA_SHAPE', message, 'Save the labels as numbers.');
}

function numberLabel(path: string, value: number): Label {
  if (Number.isNaN(value) || value === -1) return undefined;
  if (Number.isSafeInteger(value) && value >= 0) return value;
  const isBelow = Number.isSafeInteger(value);
  throw new PseudolabelError(
    isBelow ? 'E_DATA_CLASSES' : 'E_DATA_VALUES',
    `${path} has the label ${value}`,
    'Number the classes from 0; -1 or NaN says that nobody knows the class.',
  );
}
