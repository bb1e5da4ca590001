// Reads one Parquet file as the Hugging Face hub has them: finds its columns of pictures and labels, and reads them by
// row group.
import { type FileHandle, open } from 'node:fs/promises';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { parquetSchema } from 'hyparquet/src/metadata.js';
import { z } from 'zod';
import { PseudolabelError } from '../../errors.js';
import { fill, parseJson, READING, whyNotRead } from '../../files/read.js';
import type { Label } from '../source.js';
import { type NameKind, nameColumn } from './parquet-names.js';
import { checkedPages } from './parquet-pages.js';

/** The most bytes of a row group, which is held in memory while its pictures are decoded. */
const MOST_GROUP_BYTES = 2 ** 31;
const MOST_HELD = 2;
/** The most bytes of the metadata at the end of a file. */
const MOST_METADATA_BYTES = 2 ** 26;

/** Names of columns, the likelier ones first. */
const IMAGE_COLUMNS = ['image', 'img', 'picture', 'pixel_values', 'images'];
const LABEL_COLUMNS = ['label', 'labels', 'fine_label', 'class', 'target', 'category', 'y', 'coarse_label'];

export interface ParquetFile {
  readonly path: string;
  /** Changes with the file. */
  readonly key: string;
  readonly count: number;
  /** The names of the classes, if the file says them. */
  readonly classNames: readonly string[] | undefined;
  /** Reads the labels. undefined: no column has labels. */
  labels(): Promise<Label[] | undefined>;
  /** Reads the names of the pictures. undefined: nothing of this kind names all of them. */
  names(kind: NameKind): Promise<string[] | undefined>;
  /** Reads the bytes of a picture. Those of its row group stay in memory until other groups are read. */
  picture(row: number): Promise<Uint8Array>;
}

/** Opens a file. Throws E_DATA_MISSING, E_DATA_MAGIC, E_DATA_CHECKSUM, E_DATA_FORMAT and E_MEMORY. */
export async function openParquet(path: string): Promise<ParquetFile> {
  const { size, ino, mtimeMs } = await withFile(path, (handle) => handle.stat());
  const metadata = await metadataOf(path, size);
  const features = featuresOf(metadata);
  const { imageColumn, labelColumn, groups } = await unlessDamaged(path, async () => {
    const imageColumn = imageColumnOf(path, metadata, features);
    const labelColumn = labelColumnOf(metadata, features, imageColumn);
    return { imageColumn, labelColumn, groups: groupsOf(path, metadata, size) };
  });
  const read = (column: string, group: Group, by = metadata) =>
    unlessDamaged(path, async () => {
      const file = await checkedPages(bufferOf(path, size), by, group.position, column);
      // The import is here because the module needs WebAssembly as soon as it is imported, and `doctor` may be about to
      // say that there is none.
      const { compressors } = await import('hyparquet-compressors');
      const { first: rowStart, end: rowEnd } = group;
      return parquetReadObjects({ file, metadata: by, columns: [column], compressors, utf8: false, rowStart, rowEnd });
    });
  // Two groups are held, because the decoder asks for pictures of the next group before it has all of the first one.
  const held = new Map<Group, Promise<Uint8Array[]>>();
  const picturesOf = (group: Group): Promise<Uint8Array[]> => {
    const pictures =
      held.get(group) ??
      read(imageColumn, group).then((rows) => rows.map((row, i) => bytesOf(path, row[imageColumn], group.first + i)));
    if (!held.has(group) && held.size === MOST_HELD) held.delete(held.keys().next().value!);
    held.set(group, pictures);
    return pictures;
  };
  return {
    path,
    count: groups.at(-1)?.end ?? 0,
    classNames: features[labelColumn ?? '']?.names,
    key: [size, ino, mtimeMs, imageColumn].join(' '),
    labels: async () => {
      if (labelColumn === undefined) return undefined;
      const labels: Label[] = [];
      for (const group of groups)
        for (const row of await read(labelColumn, group)) labels.push(labelOf(path, row[labelColumn]));
      return labels;
    },
    names: async (kind) => {
      const of = await unlessDamaged(path, async () => nameColumn(kind, metadata, imageColumn, [labelColumn]));
      if (!of) return undefined;
      const names: string[] = [];
      for (const group of groups)
        for (const row of await read(of.column, group, of.metadata)) names.push(of.name(row[of.column]));
      return names.includes('') ? undefined : names;
    },
    picture: async (row) => {
      const group = groups.find(({ end }) => row < end)!;
      const bytes = (await picturesOf(group))[row - group.first]!;
      return bytes.slice(); // a copy, because sending a view to a thread would send its whole page
    },
  };
}

interface Group {
  readonly position: number;
  readonly first: number;
  readonly end: number;
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, READING);
    if (!(await handle.stat()).isFile()) throw new Error('not a regular file');
    return await use(handle);
  } catch (cause) {
    const message = `${path} cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
  } finally {
    await handle?.close();
  }
}

/** Makes a buffer of the file. Reads beyond the end of the file return fewer bytes. */
const bufferOf = (path: string, byteLength: number): AsyncBuffer => ({
  byteLength,
  slice: (start, end = byteLength) => {
    const read = withFile(path, async (handle) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
      const filled = await fill(handle, start, bytes);
      return filled === bytes.length ? bytes.buffer : bytes.buffer.slice(0, filled);
    });
    // If another part of the file is damaged, hyparquet may start reads that it then does not wait for.
    read.catch(() => undefined);
    return read;
  },
});

async function metadataOf(path: string, size: number): Promise<FileMetaData> {
  const ends = await withFile(path, async (handle) => {
    const bytes = Buffer.alloc(12);
    await fill(handle, 0, bytes.subarray(0, 4));
    await fill(handle, Math.max(0, size - 8), bytes.subarray(4));
    return bytes;
  });
  const again = 'Fetch the file again; a file of the hub that is a Git LFS pointer comes with git lfs pull.';
  const [start, end] = [ends.toString('latin1', 0, 4), ends.toString('latin1', 8)];
  if (start !== 'PAR1') throw new PseudolabelError('E_DATA_MAGIC', `${path} is not a Parquet file`, again);
  if (end !== 'PAR1') throw new PseudolabelError('E_DATA_TRUNCATED', `${path} ends before its metadata`, again);
  const length = ends.readUInt32LE(4);
  if (length > Math.min(size - 12, MOST_METADATA_BYTES)) throw damaged(path, new Error('its metadata are too long'));
  return unlessDamaged(path, () => parquetMetadataAsync(bufferOf(path, size), { geoparquet: false }));
}

/** Decodes a part of a file. Any error is reported as damage of the file, except for our own errors. */
async function unlessDamaged<T>(path: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (cause) {
    throw cause instanceof PseudolabelError ? cause : damaged(path, cause);
  }
}

function damaged(path: string, cause: unknown): PseudolabelError {
  const why = cause instanceof Error ? cause.message.slice(0, 200) : 'it cannot be decoded';
  const message = `${path} is damaged, or is of a kind that is not read: ${why}`;
  return new PseudolabelError('E_DATA_CHECKSUM', message, 'Write or fetch the file again.', { cause });
}

function groupsOf(path: string, { row_groups }: FileMetaData, size: number): Group[] {
  const groups: Group[] = [];
  let first = 0;
  for (const [position, { num_rows, total_byte_size }] of row_groups.entries()) {
    const end = first + Number(num_rows);
    // Every picture takes at least one byte.
    if (num_rows < 0n || end > size) throw damaged(path, new Error('it declares more rows than it can have'));
    if (total_byte_size > BigInt(MOST_GROUP_BYTES)) {
      const message = `${path} has a row group of ${total_byte_size} bytes, which is read at once`;
      throw new PseudolabelError('E_MEMORY', message, 'Write the file with smaller row groups (row_group_size=1000).');
    }
    groups.push({ position, first, end });
    first = end;
  }
  return groups;
}

/** The metadata that the library `datasets` writes about columns. */
const FEATURES = z.object({
  info: z.object({
    features: z.record(
      z.string(),
      z.looseObject({ _type: z.string().optional(), names: z.array(z.string()).optional().catch(undefined) }).catch({}),
    ),
  }),
});
type Features = Readonly<
  Record<string, { readonly _type?: string | undefined; readonly names?: readonly string[] | undefined }>
>;

function featuresOf({ key_value_metadata }: FileMetaData): Features {
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value ?? '{}';
  try {
    return FEATURES.parse(parseJson(text)).info.features;
  } catch {
    return {};
  }
}

/** Returns the column of pictures: of { bytes, path }, or of bytes. */
function imageColumnOf(path: string, metadata: FileMetaData, features: Features): string {
  const { children } = parquetSchema(metadata);
  const isBytes = (type: string | undefined, converted: string | undefined): boolean =>
    type === 'BYTE_ARRAY' && converted === undefined;
  const names = children
    .filter(({ element, children }) =>
      [element, ...children.filter((child) => child.element.name === 'bytes').map((child) => child.element)].some(
        ({ type, converted_type, logical_type }) => isBytes(type, converted_type) && logical_type === undefined,
      ),
    )
    .map(({ element }) => element.name);
  const found = likeliest(names, (name) => features[name]?._type === 'Image', IMAGE_COLUMNS);
  if (found !== undefined) return found;
  const all = children
    .map(({ element }) => element.name)
    .slice(0, 10)
    .join(', ');
  const message =
    names.length === 0
      ? `${path} has no column of pictures: its columns are ${all}`
      : `${path} has several columns of pictures: ${names.slice(0, 10).join(', ')}`;
  const fix =
    'Give the pictures (PNG, JPEG and the like) as bytes in a column called image, as the library datasets does.';
  throw new PseudolabelError('E_DATA_FORMAT', message, fix);
}

function labelColumnOf(metadata: FileMetaData, features: Features, imageColumn: string): string | undefined {
  const names = parquetSchema(metadata)
    .children.filter(({ element, children }) => element.name !== imageColumn && children.length === 0)
    .map(({ element }) => element.name);
  const known = names.filter((name) => LABEL_COLUMNS.includes(name.toLowerCase()));
  const classes = names.filter((name) => features[name]?._type === 'ClassLabel');
  return likeliest(classes, () => false, LABEL_COLUMNS) ?? likeliest(known, () => false, LABEL_COLUMNS);
}

/** Returns the only column, the only one that is marked, or the one with the likeliest name. */
function likeliest(
  names: readonly string[],
  isMarked: (name: string) => boolean,
  known: readonly string[],
): string | undefined {
  const marked = names.filter(isMarked);
  const among = marked.length > 0 ? marked : names;
  if (among.length === 1) return among[0];
  return known.map((each) => among.find((name) => name.toLowerCase() === each)).find((name) => name !== undefined);
}

function labelOf(path: string, value: unknown): Label {
  if (value === null || value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return new TextDecoder().decode(value) || undefined;
  const number = typeof value === 'boolean' || typeof value === 'bigint' ? Number(value) : value;
  if (number === -1 || Number.isNaN(number)) return undefined;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  throw new PseudolabelError(
    'E_DATA_VALUES',
    `${path} has the label ${String(value).slice(0, 50)}`,
    'Labels are names, or numbers from 0; -1 or null says that nobody knows.',
  );
}

function bytesOf(path: string, value: unknown, row: number): Uint8Array {
  const bytes = typeof value === 'object' && value !== null && 'bytes' in value ? value.bytes : value;
  if (bytes instanceof Uint8Array) return bytes;
  throw new PseudolabelError(
    'E_DATA_VALUES',
    `${path} has no picture in row ${row}`,
    'Write the bytes of the pictures into the file, not their paths.',
  );
}
