// Writes NumPy's files for tests: the inverse of src/data/sources/npy.ts and npz.ts.
import { writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

export interface NpyOptions {
  readonly fortran?: boolean;
  readonly version?: 1 | 2 | 3;
  /** Writes this header instead of the right one. */
  readonly header?: string;
}

/** Returns a .npy file. descr: NumPy's name of the type of the values, whose bytes are given. */
export function npyBytes(
  descr: string,
  shape: readonly number[],
  values: Uint8Array,
  options: NpyOptions = {},
): Buffer {
  const { fortran = false, version = 1 } = options;
  const order = fortran ? 'True' : 'False';
  const sizes = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = options.header ?? `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${sizes}, }`;
  const fixed = version === 1 ? 10 : 12;
  const length = 64 * Math.ceil((fixed + text.length + 1) / 64) - fixed;
  const start = Buffer.alloc(fixed);
  start.write('\x93NUMPY', 'latin1');
  start[6] = version;
  if (version === 1) start.writeUInt16LE(length, 8);
  else start.writeUInt32LE(length, 8);
  return Buffer.concat([start, Buffer.from(`${text.padEnd(length - 1)}\n`, 'latin1'), values]);
}

export const bytesOf = (values: ArrayBufferView): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Returns NumPy's texts of a fixed length. */
export function textsNpy(texts: readonly string[]): Buffer {
  const most = Math.max(...texts.map((text) => [...text].length), 1);
  const points = texts.flatMap((text) => Array.from({ length: most }, (_, i) => [...text][i]?.codePointAt(0) ?? 0));
  return npyBytes(`<U${most}`, [texts.length], bytesOf(Uint32Array.from(points)));
}

/** Returns an archive as numpy.savez writes it, with the sizes of large archives, or as numpy.savez_compressed does. */
export async function npzBytes(arrays: Readonly<Record<string, Buffer>>, compress = false): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, bytes] of Object.entries(arrays))
    zip.addBuffer(bytes, name.includes('.') ? name : `${name}.npy`, { compress, forceZip64Format: !compress });
  zip.end();
  return buffer(zip.outputStream);
}

export async function writeNpz(
  path: string,
  arrays: Readonly<Record<string, Buffer>>,
  compress = false,
): Promise<void> {
  await writeFile(path, await npzBytes(arrays, compress));
}
