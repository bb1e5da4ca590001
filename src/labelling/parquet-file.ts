// Writes labels as a Parquet file, which pandas, polars and DuckDB read.
import type { Labelled } from './labelled.js';
import { columnsOf } from './table.js';

const TYPES = { texts: 'STRING', integers: 'INT32', floats: 'FLOAT' } as const;

export async function parquetFile(labelled: Labelled): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer'); // other commands do not need it
  const columnData = columnsOf(labelled).map(({ name, kind, values }) => ({
    name,
    type: TYPES[kind],
    nullable: false,
    data: kind === 'texts' ? [...values] : values,
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
