// Labels as a Parquet file, which pandas, polars and DuckDB read.
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Labelled } from './labelled.js';
import { columnsOf } from './table.js';

const TYPES = { texts: 'STRING', integers: 'INT32', floats: 'FLOAT' } as const;

export function parquetFile(labelled: Labelled): Uint8Array {
  const columnData = columnsOf(labelled).map(({ name, kind, values }) => ({
    ...{ name, type: TYPES[kind], nullable: false },
    data: kind === 'texts' ? [...values] : values,
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
