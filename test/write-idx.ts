// Writes IDX files for tests: the inverse of src/data/sources/idx.ts.
import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

/** Returns an IDX file. type: that of the values, whose bytes are given. */
export function idxBytes(shape: readonly number[], values: Uint8Array, type = 0x08): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  shape.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([header, values]);
}

export async function writeIdx(
  path: string,
  shape: readonly number[],
  values: Uint8Array,
  type?: number,
): Promise<void> {
  const bytes = idxBytes(shape, values, type);
  await writeFile(path, path.endsWith('.gz') ? gzipSync(bytes) : bytes);
}
