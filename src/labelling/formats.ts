// The formats of label files: their names, the extensions that mean them, and their writers.
import { extname } from 'node:path';
import { EXTENSIONS } from '../data/pictures/format.js';
import { PseudolabelError } from '../errors.js';
import type { Data } from '../files/write.js';
import { csvFile, tsvFile } from './csv-file.js';
import { labelFile } from './idx-file.js';
import type { Labelled } from './labelled.js';
import { npzFile } from './npz-file.js';
import { parquetFile } from './parquet-file.js';

export const LABEL_FORMATS = ['csv', 'tsv', 'npz', 'parquet', 'idx'] as const;
export type LabelFormat = (typeof LABEL_FORMATS)[number];

const WRITERS: Readonly<Record<LabelFormat, (labelled: Labelled) => Data | Promise<Data>>> = {
  csv: csvFile,
  tsv: tsvFile,
  npz: npzFile,
  parquet: parquetFile,
  idx: ({ classes, classNames }) => labelFile(classes, classNames),
};

/**
 * Returns the format that the extension says: labels.csv; IDX if it says nothing, as in labels-idx1-ubyte. Throws
 * E_USAGE for the name of a picture.
 */
export function formatOf(path: string): LabelFormat {
  const end = extname(path).slice(1).toLowerCase();
  if (EXTENSIONS.has(end))
    throw new PseudolabelError('E_USAGE', `${path}: labels are no picture`, 'give a name that ends in .csv, say');
  return LABEL_FORMATS.find((format) => format === end) ?? 'idx';
}

export const labelsIn = (format: LabelFormat, labelled: Labelled): Data | Promise<Data> => WRITERS[format](labelled);
