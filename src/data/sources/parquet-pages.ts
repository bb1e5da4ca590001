// Checks what the pages of a Parquet file declare before hyparquet uses it. Otherwise hyparquet could loop over 2^31
// values that do not exist.
import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet';
import { parquetSchema } from 'hyparquet/src/metadata.js';
import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { z } from 'zod';

const MOST_PAGE_BYTES = 2 ** 30;
/** The pages of a column in a row group may together inflate to this size by any factor. */
const MOST_UNDOUBTED_BYTES = 2 ** 26;
/** The largest factor beyond that size. Pictures hardly inflate at all; labels that are all the same inflate a lot. */
const MOST_DOUBTFUL_INFLATION = 1000;

/** The pages that are read: data, a dictionary, and data in the second version. */
const PAGE_TYPES = [0, 2, 3] as const;

const amount = z.number().int().min(0);
/** The fields of Parquet's PageHeader, by their numbers in its Thrift definition. */
const PAGE_HEADER = z.looseObject({
  field_1: z.literal(PAGE_TYPES),
  field_2: amount.max(MOST_PAGE_BYTES),
  field_3: amount,
  field_5: z.looseObject({ field_1: amount }).optional(),
  field_7: z.looseObject({ field_1: amount }).optional(),
  field_8: z
    .looseObject({ field_1: amount, field_2: amount, field_3: amount, field_5: amount, field_6: amount })
    .optional(),
});

/**
 * Returns a file that has only the pages of a column in one row group, as they were when they were checked. If the file
 * itself were read again, a change of it would not be checked. Throws Error if the pages do not have the rows of their
 * row group, or if they inflate like a bomb.
 */
export async function checkedPages(
  file: AsyncBuffer,
  metadata: FileMetaData,
  group: number,
  column: string,
): Promise<AsyncBuffer> {
  const { columns, num_rows } = metadata.row_groups[group]!;
  const checked: Part[] = [];
  checkPaths(metadata, group, column);
  for (const { meta_data } of columns) {
    if (meta_data?.path_in_schema[0] !== column) continue;
    const start = Number(meta_data.dictionary_page_offset || meta_data.data_page_offset);
    const length = Number(meta_data.total_compressed_size);
    if (start < 4 || length <= 0 || start + length > file.byteLength)
      throw new Error('a column lies outside of the file');
    const bytes = await file.slice(start, start + length);
    const rows = rowsOf(new DataView(bytes));
    if (rows !== Number(num_rows)) throw new Error(`a column has ${rows} values for ${num_rows} rows`);
    checked.push({ start, bytes: new Uint8Array(bytes) });
  }
  return { byteLength: file.byteLength, slice: (start, end = file.byteLength) => sliceOf(checked, start, end) };
}

/** Bytes of a file, and where they begin in it. */
interface Part {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * Returns a slice with zeros between the parts. hyparquet joins reads of neighbouring columns, and what is between them
 * belongs to no column that is read.
 */
function sliceOf(parts: readonly Part[], start: number, end: number): ArrayBuffer {
  const slice = new Uint8Array(Math.max(0, end - start));
  for (const { start: at, bytes } of parts) {
    const [first, last] = [Math.max(start, at), Math.min(end, at + bytes.length)];
    if (first < last) slice.set(bytes.subarray(first - at, last - at), first - start);
  }
  return slice.buffer;
}

/**
 * Throws if a row group does not have each path of the schema exactly once. hyparquet would otherwise leave rejections
 * of other columns unhandled.
 */
function checkPaths(metadata: FileMetaData, group: number, column: string): void {
  const wanted = parquetSchema(metadata)
    .children.filter(({ element }) => element.name === column)
    .flatMap(leafPaths);
  const found = metadata.row_groups[group]!.columns.flatMap(({ meta_data }) =>
    meta_data?.path_in_schema[0] === column ? [meta_data.path_in_schema] : [],
  );
  const sorted = (paths: readonly (readonly string[])[]): string => String(paths.map((path) => path.join('/')).sort());
  if (sorted(found) !== sorted(wanted)) throw new Error('a row group has other columns than the schema');
}

function leafPaths({ path, children }: SchemaTree): string[][] {
  return children.length === 0 ? [path] : children.flatMap(leafPaths);
}

/** Returns the number of values that the data pages of a column declare. */
function rowsOf(view: DataView): number {
  const reader = { view, offset: 0 };
  let [rows, inflated, compressed] = [0, 0, 0];
  while (reader.offset < view.byteLength - 1) {
    const header = PAGE_HEADER.safeParse(deserializeTCompactProtocol(reader)).data;
    if (header === undefined) throw new Error('a page has a header that cannot be');
    const { field_2: size, field_3: bytes, field_5: page, field_7: dictionary, field_8: page2 } = header;
    reader.offset += bytes;
    if (reader.offset > view.byteLength) throw new Error('a page goes on after its column');
    inflated += size;
    compressed += bytes;
    if (inflated > MOST_UNDOUBTED_BYTES && inflated > compressed * MOST_DOUBTFUL_INFLATION)
      throw new Error(`pages declare ${inflated} bytes for ${compressed} compressed ones, as decompression bombs do`);
    if (dictionary && dictionary.field_1 > size) throw new Error('a dictionary declares more values than bytes');
    rows += page?.field_1 ?? page2?.field_1 ?? 0;
  }
  return rows;
}
