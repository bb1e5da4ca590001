// Reads IDX files (the format of MNIST), plain or gzipped: all of a file, checked against its header, or an error.
import { type FileHandle, open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { PseudolabelError } from '../errors.js';

export interface IdxFile {
  /** The size of each dimension, none of them zero. */
  readonly shape: readonly number[];
  /** The values in row-major order; as many as the product of `shape`. */
  readonly values: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
const GZIP_MAGIC = 0x1f8b;
const MAX_VALUES = 2 ** 32;
/** No gzip stream grows by more than this (RFC 1951: a two-bit code can stand for 258 bytes). */
const MAX_INFLATION = 1032;

const FETCH_AGAIN = 'Fetch the file again.';

/**
 * Reads an IDX file of unsigned bytes: two zero bytes, the type 0x08, the number of dimensions, each dimension as a big-endian
 * 32-bit integer, then the values. A gzipped one is known by its first bytes, whatever its name.
 * @throws PseudolabelError E_DATA_MISSING, E_DATA_MAGIC, E_DATA_EMPTY, E_DATA_SHAPE (above 4 GiB), E_DATA_TRUNCATED,
 * E_DATA_TRAILING or E_DATA_CHECKSUM (damaged gzip)
 */
export async function readIdx(path: string): Promise<IdxFile> {
  const handle = await openRegular(path);
  const bytes = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 2 ** 20 });
  try {
    const { size } = await handle.stat();
    const { buffer: start } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    if (start.readUInt16BE() !== GZIP_MAGIC) return await parse(path, bytes, size);

    const gunzip = createGunzip();
    bytes.once('error', (error) => gunzip.destroy(error));
    const file = await parse(path, bytes.pipe(gunzip), size * MAX_INFLATION);
    if (gunzip.bytesWritten !== size) throw trailing(path);
    return file;
  } catch (error) {
    throw explained(path, error);
  } finally {
    bytes.destroy(); // the handle closes only after its stream
    await handle.close();
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  try {
    // Opening a named pipe would wait for its writer.
    if ((await stat(path)).isFile()) return await open(path);
  } catch (cause) {
    throw missing(path, cause);
  }
  throw missing(path, new Error('not a regular file'));
}

/** @param capacity the most bytes that the file can hold: what declares more is refused before any memory is taken for it */
async function parse(path: string, chunks: AsyncIterable<Buffer>, capacity: number): Promise<IdxFile> {
  let start: Buffer = Buffer.alloc(0);
  let file: IdxFile | undefined;
  let filled = 0;
  for await (const chunk of chunks) {
    let values = chunk;
    if (file === undefined) {
      start = Buffer.concat([start, chunk]);
      const shape = readShape(path, start);
      if (shape === undefined) continue;
      file = { shape, values: new Uint8Array(declaredValues(path, shape, capacity)) };
      values = start.subarray(headerBytes(shape.length));
    }
    if (filled + values.length > file.values.length) throw trailing(path);
    file.values.set(values, filled);
    filled += values.length;
  }
  if (file === undefined || filled < file.values.length) throw truncated(path);
  return file;
}

/** The shape that a file beginning with `start` declares; undefined while `start` is too short to tell. */
function readShape(path: string, start: Buffer): number[] | undefined {
  if (start.length < 4) return undefined;
  const dimensions = start.readUInt8(3);
  if (start.readUInt16BE(0) !== 0 || start.readUInt8(2) !== UNSIGNED_BYTE || dimensions === 0) {
    const found = start.toString('hex', 0, 4);
    throw new PseudolabelError(
      'E_DATA_MAGIC',
      `${path} is not an IDX file of unsigned bytes: it begins with the bytes ${found}, not 000008 and a number of dimensions`,
      'Give an IDX file as those of MNIST, plain or gzipped.',
    );
  }
  if (start.length < headerBytes(dimensions)) return undefined;
  return Array.from({ length: dimensions }, (_, i) => start.readUInt32BE(headerBytes(i)));
}

function headerBytes(dimensions: number): number {
  return 4 + 4 * dimensions;
}

function declaredValues(path: string, shape: readonly number[], capacity: number): number {
  if (shape.includes(0)) {
    throw new PseudolabelError(
      'E_DATA_EMPTY',
      `${path} is empty: it declares ${shape.join(' x ')} values`,
      FETCH_AGAIN,
    );
  }
  const values = shape.reduce((product, size) => product * size, 1);
  if (values > MAX_VALUES) {
    const message = `${path} declares ${shape.join(' x ')} values, more than 4 GiB`;
    throw new PseudolabelError('E_DATA_SHAPE', message, 'Fetch the file again, or use fewer images.');
  }
  if (values > capacity) throw truncated(path);
  return values;
}

function explained(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR') return truncated(path, error);
  if (code === 'Z_DATA_ERROR') {
    return new PseudolabelError('E_DATA_CHECKSUM', `${path} is damaged: it cannot be unpacked`, FETCH_AGAIN, {
      cause: error,
    });
  }
  return error instanceof Error && 'syscall' in error ? missing(path, error) : error;
}

function missing(path: string, cause: unknown): PseudolabelError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `${path} cannot be read: ${reason}`;
  return new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
}

function truncated(path: string, cause?: unknown): PseudolabelError {
  return new PseudolabelError('E_DATA_TRUNCATED', `${path} ends before the values its header declares`, FETCH_AGAIN, {
    cause,
  });
}

function trailing(path: string): PseudolabelError {
  return new PseudolabelError('E_DATA_TRAILING', `${path} goes on after the values its header declares`, FETCH_AGAIN);
}
