// The table of data sources. The first that recognises a path reads it.
import { stat } from 'node:fs/promises';
import { PseudolabelError } from '../../errors.js';
import { whyNotRead } from '../../files/read.js';
import type { DataSource } from '../source.js';
import { CIFAR } from './cifar.js';
import { FOLDER } from './folder.js';
import { IDX } from './idx-folder.js';
import { NPZ } from './npz.js';
import { PACK } from './pack.js';
import { PARQUET } from './parquet.js';

/** Pictures last: they may lie beside the files of another format. */
export const SOURCES: readonly DataSource[] = [IDX, CIFAR, NPZ, PARQUET, PACK, FOLDER];

/** The source called `format`; else the first that recognises the path. Throws E_DATA_MISSING, E_DATA_FORMAT and E_CONFIG. */
export async function sourceFor(path: string, format: string | undefined): Promise<DataSource> {
  try {
    await stat(path);
  } catch (cause) {
    const message = `${path} cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
  }
  const names = SOURCES.map(({ name }) => name).join(', ');
  if (format !== undefined) {
    const named = SOURCES.find(({ name }) => name === format);
    if (named) return named;
    throw new PseudolabelError('E_CONFIG', `format: there is no ${format}`, `give one of ${names}`);
  }
  for (const source of SOURCES) if (await source.recognises(path)) return source;
  const known = SOURCES.map(({ name, reads }) => `${reads} (${name})`).join(', ');
  throw new PseudolabelError(
    'E_DATA_FORMAT',
    `${path} is none of the data that can be read`,
    `Give one of these: ${known}. If it is one, say which: --format NAME.`,
  );
}
