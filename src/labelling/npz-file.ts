// Writes labels as an archive of NumPy arrays, as numpy.savez_compressed does: an array for each column, and the names
// of the classes.
import { buffer } from 'node:stream/consumers';
import type { Labelled } from './labelled.js';
import { type Column, columnsOf } from './table.js';

export async function npzFile(labelled: Labelled): Promise<Uint8Array> {
  const { ZipFile } = await import('yazl');
  const classNames: Column = { name: 'class_names', kind: 'texts', values: labelled.classNames };
  const zip = new ZipFile();
  for (const column of [...columnsOf(labelled), classNames])
    zip.addBuffer(npyOf(column), `${column.name}.npy`, { mtime: EPOCH });
  zip.end();
  return buffer(zip.outputStream);
}

/** The time of all entries, so that the same labels give the same file. */
const EPOCH = new Date(Date.UTC(1980, 0, 1));

function npyOf(column: Column): Buffer {
  switch (column.kind) {
    case 'integers':
    case 'floats': {
      const { values } = column;
      const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
      return Buffer.concat([headerOf(column.kind === 'floats' ? '<f4' : '<i4', values.length), bytes]);
    }
    case 'texts': {
      // NumPy's texts have one length, four bytes per character, and are padded with zeros.
      const texts = column.values.map((text) => Array.from(text, (character) => character.codePointAt(0)!));
      const most = texts.reduce((longest, points) => Math.max(longest, points.length), 1);
      const all = new Uint32Array(texts.length * most);
      for (const [i, points] of texts.entries()) all.set(points, i * most);
      return Buffer.concat([headerOf(`<U${most}`, texts.length), Buffer.from(all.buffer)]);
    }
  }
}

/**
 * Returns a header of version 1.0: the magic, the length of what follows, and a Python dict that ends at a multiple of
 * 64.
 */
function headerOf(type: string, length: number): Buffer {
  const dict = `{'descr': '${type}', 'fortran_order': False, 'shape': (${length},), }`;
  const start = 10;
  const text = `${dict.padEnd(64 * Math.ceil((start + dict.length + 1) / 64) - start - 1)}\n`;
  const header = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}`, 'latin1');
  header.writeUInt16LE(text.length, 8);
  return header;
}
