// Writes Parquet files for tests, as the library `datasets` writes those of the Hugging Face hub.
import { writeFile } from 'node:fs/promises';
import { type ColumnSource, type ParquetWriteOptions, parquetWriteBuffer } from 'hyparquet-writer';

type SchemaElement = NonNullable<ParquetWriteOptions['schema']>[number];
type KeyValue = NonNullable<ParquetWriteOptions['kvMetadata']>[number];

export interface Column {
  readonly name: string;
  readonly data: readonly unknown[];
  readonly schema: readonly SchemaElement[];
}

/** Returns a struct of bytes and path. paths: null for files whose images came from no files. */
export const pictureColumn = (
  pictures: readonly (Uint8Array | null)[],
  name = 'image',
  paths: readonly (string | null)[] = pictures.map((_, i) => `${i}.png`),
): Column => ({
  name,
  data: pictures.map((bytes, i) => ({ bytes, path: paths[i] })),
  schema: [
    { name, repetition_type: 'OPTIONAL', num_children: 2 },
    { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
    { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  ],
});

export const numberColumn = (labels: readonly (number | null)[], name = 'label'): Column => ({
  name,
  data: labels.map((label) => (label === null ? null : BigInt(label))),
  schema: [{ name, type: 'INT64', repetition_type: 'OPTIONAL' }],
});

export const textColumn = (labels: readonly (string | null)[], name = 'label'): Column => ({
  name,
  data: labels,
  schema: [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }],
});

export const bytesColumn = (bytes: readonly Uint8Array[], name: string): Column => ({
  name,
  data: bytes,
  schema: [{ name, type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' }],
});

/** Returns what the hub's files say of their columns. */
export const features = (of: Readonly<Record<string, unknown>>): KeyValue[] => [
  { key: 'huggingface', value: JSON.stringify({ info: { features: of } }) },
];

export function parquetBytes(columns: readonly Column[], kvMetadata: KeyValue[] = [], rowGroupSize = 3): Uint8Array {
  const schema: SchemaElement[] = [
    { name: 'schema', num_children: columns.length },
    ...columns.flatMap((column) => column.schema),
  ];
  const columnData = columns.map(({ name, data }): ColumnSource => ({ name, data: [...data] }));
  return new Uint8Array(parquetWriteBuffer({ columnData, schema, kvMetadata, rowGroupSize }));
}

export async function writeParquet(path: string, ...of: Parameters<typeof parquetBytes>): Promise<void> {
  await writeFile(path, parquetBytes(...of));
}
