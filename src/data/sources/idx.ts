// Reads IDX files (the format of MNIST), plain or gzipped. It reads all of a file and checks it against its header, or
// throws an error.
import { type FileHandle, open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { PseudolabelError } from '../../errors.js';
import { whyNotRead } from '../../files/read.js';
import { notIdx } from './idx-lookalikes.js';

export interface IdxFile {
  /** The size of each dimension; none is zero. */
  readonly shape: readonly number[];
  /** The values in row-major order; their number is the product of `shape`. */
  readonly values: Uint8Array;
}

/** Takes the values of a file as they are read. */
export interface Target {
  /** Takes the next bytes. */
  write(bytes: Uint8Array): void;
}

export interface IdxIntegers {
  readonly shape: readonly number[];
  readonly values: Int32Array;
  /** Whether the type has no values below 0. */
  readonly isUnsigned: boolean;
}

/** The types of values that an IDX header can name. */
const TYPES = {
  8: { name: 'unsigned bytes', bytes: 1 },
  9: { name: 'signed bytes', bytes: 1 },
  11: { name: '16-bit integers', bytes: 2 },
  12: { name: '32-bit integers', bytes: 4 },
  13: { name: '32-bit floats', bytes: 4 },
  14: { name: '64-bit floats', bytes: 8 },
} as const;
type Type = keyof typeof TYPES;

const UNSIGNED_BYTE: Type = 8;
const INTEGERS: readonly Type[] = [8, 9, 11, 12];

/** The types that a caller takes, and how to fix a file of another type. */
interface Wanted {
  readonly types: readonly Type[];
  readonly what: string;
  readonly fix: string;
}

const BYTES: Wanted = {
  types: [UNSIGNED_BYTE],
  what: 'unsigned bytes',
  fix: 'Convert the values to unsigned bytes (type 0x08): pixels go from 0 to 255.',
};
const WHOLE_NUMBERS: Wanted = {
  types: INTEGERS,
  what: 'integers',
  fix: 'Convert the labels to integers: unsigned bytes (type 0x08) or 32-bit integers (type 0x0c).',
};

const GZIP_MAGIC = 0x1f8b;
const MAX_BYTES = 2 ** 32;
/** The largest factor by which a gzip stream inflates (RFC 1951: a two-bit code can stand for 258 bytes). */
const MAX_INFLATION = 1032;

const FETCH_AGAIN = 'Fetch the file again.';

/**
 * Reads an IDX file of unsigned bytes: two zero bytes, the type 0x08, the number of dimensions, each dimension as a
 * big-endian 32-bit integer, then the values. A gzipped file is recognised by its first bytes, whatever its name.
 * @throws PseudolabelError E_DATA_MISSING, E_DATA_MAGIC, E_DATA_EMPTY, E_DATA_SHAPE (above 4 GiB), E_DATA_TRUNCATED,
 * E_DATA_TRAILING, E_DATA_CHECKSUM (damaged gzip) or E_MEMORY
 */
export async function readIdx(path: string): Promise<IdxFile> {
  const { shape, values } = await readValues(path, BYTES);
  return { shape, values };
}

/**
 * Reads a file of unsigned bytes into a target, without another copy.
 * @param targetOf is called once the file is known to hold what it declares; what it throws, this throws
 */
export async function readIdxInto<T extends Target>(
  path: string,
  targetOf: (shape: readonly number[]) => T,
): Promise<T> {
  const { target } = await readFile(path, BYTES, ({ shape }) => targetOf(shape));
  return target;
}

/** Reads an IDX file of integers: signed or unsigned bytes, or 16 or 32 bits. Throws as readIdx does. */
export async function readIdxIntegers(path: string): Promise<IdxIntegers> {
  const { type, shape, values: bytes } = await readValues(path, WHOLE_NUMBERS);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read: (i: number) => number =
    type === 8
      ? (i) => bytes[i]!
      : type === 9
        ? (i) => view.getInt8(i)
        : type === 11
          ? (i) => view.getInt16(2 * i)
          : (i) => view.getInt32(4 * i);
  const values = new Int32Array(bytes.length / TYPES[type].bytes);
  for (let i = 0; i < values.length; i++) values[i] = read(i);
  return { shape, values, isUnsigned: type === UNSIGNED_BYTE };
}

/** Returns the bytes of the values as the file has them. */
async function readValues(path: string, wanted: Wanted): Promise<Header & { readonly values: Uint8Array }> {
  const { header, target } = await readFile(path, wanted, (_, bytes) => {
    const values = allocate(path, bytes);
    let filled = 0;
    const write = (more: Uint8Array): void => {
      values.set(more, filled);
      filled += more.length;
    };
    return { values, write };
  });
  return { ...header, values: target.values };
}

type TargetOf<T> = (header: Header, bytes: number) => T;

interface Read<T> {
  readonly header: Header;
  readonly target: T;
}

async function readFile<T extends Target>(path: string, wanted: Wanted, targetOf: TargetOf<T>): Promise<Read<T>> {
  const handle = await openRegular(path);
  const bytes = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 2 ** 20 });
  try {
    const { size } = await handle.stat();
    const { buffer: start } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    if (start.readUInt16BE() !== GZIP_MAGIC) return await parse(path, bytes, size, wanted, targetOf);

    const gunzip = createGunzip();
    bytes.once('error', (error) => gunzip.destroy(error));
    const file = await parse(path, bytes.pipe(gunzip), size * MAX_INFLATION, wanted, targetOf);
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

/**
 * Reads a file from its chunks.
 * @param capacity the most bytes that the file can hold; a file that declares more is refused before memory is
 * allocated for it
 */
async function parse<T extends Target>(
  path: string,
  chunks: AsyncIterable<Buffer>,
  capacity: number,
  wanted: Wanted,
  targetOf: TargetOf<T>,
): Promise<Read<T>> {
  let start: Buffer = Buffer.alloc(0);
  let file: Read<T> | undefined;
  let left = 0;
  for await (const chunk of chunks) {
    let values = chunk;
    if (file === undefined) {
      start = Buffer.concat([start, chunk]);
      const header = readHeader(path, start, wanted);
      if (header === undefined) continue;
      left = declaredBytes(path, header, capacity);
      file = { header, target: targetOf(header, left) };
      values = start.subarray(headerBytes(header.shape.length));
    }
    if (values.length > left) throw trailing(path);
    file.target.write(values);
    left -= values.length;
  }
  if (file === undefined && start.length === 0) throw truncated(path, 'is empty: it has no bytes');
  if (file === undefined || left > 0) throw truncated(path);
  return file;
}

interface Header {
  readonly type: Type;
  readonly shape: readonly number[];
}

/** Reads the header at the start of a file. Returns undefined while `start` is too short. */
function readHeader(path: string, start: Buffer, wanted: Wanted): Header | undefined {
  if (start.length < 4) return undefined;
  const type = start.readUInt8(2);
  const dimensions = start.readUInt8(3);
  if (start.readUInt16BE(0) !== 0 || !isType(type) || dimensions === 0) throw notIdx(path, start, wanted.what);
  if (!wanted.types.includes(type)) {
    throw new PseudolabelError(
      'E_DATA_MAGIC',
      `${path} has ${TYPES[type].name} where ${wanted.what} are needed`,
      wanted.fix,
    );
  }
  if (start.length < headerBytes(dimensions)) return undefined;
  return { type, shape: Array.from({ length: dimensions }, (_, i) => start.readUInt32BE(headerBytes(i))) };
}

const isType = (type: number): type is Type => type in TYPES;

function headerBytes(dimensions: number): number {
  return 4 + 4 * dimensions;
}

/** Returns the bytes of the values that the header declares. */
function declaredBytes(path: string, { type, shape }: Header, capacity: number): number {
  if (shape.includes(0)) {
    const message = `${path} is empty: it declares ${shape.join(' x ')} values`;
    throw new PseudolabelError('E_DATA_EMPTY', message, FETCH_AGAIN);
  }
  const bytesOf = (sizes: readonly number[]): number =>
    sizes.reduce((product, size) => product * size, TYPES[type].bytes);
  const bytes = bytesOf(shape);
  const swapped = shape.map(swappedBytes);
  const room = capacity - headerBytes(shape.length);
  if (bytes > room && bytesOf(swapped) === room) {
    throw new PseudolabelError(
      'E_DATA_SHAPE',
      `${path} declares ${shape.join(' x ')} values; read as little-endian numbers its sizes are ${swapped.join(' x ')}, and these fit`,
      'Write the sizes as big-endian 32-bit integers, as IDX wants them.',
    );
  }
  if (bytes > MAX_BYTES) {
    const message = `${path} declares ${shape.join(' x ')} ${TYPES[type].name}, more than 4 GiB`;
    throw new PseudolabelError('E_DATA_SHAPE', message, 'Fetch the file again, or use fewer images.');
  }
  if (bytes > room) throw truncated(path);
  return bytes;
}

function swappedBytes(size: number): number {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(size);
  return buffer.readUInt32LE();
}

function allocate(path: string, bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    const message = `there is not enough memory for the ${bytes} bytes of ${path}`;
    throw new PseudolabelError('E_MEMORY', message, 'Use fewer images, or a machine with more memory.', { cause });
  }
}

function explained(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR') return truncated(path, undefined, error);
  if (code === 'Z_DATA_ERROR') {
    return new PseudolabelError('E_DATA_CHECKSUM', `${path} is damaged: it cannot be unpacked`, FETCH_AGAIN, {
      cause: error,
    });
  }
  return error instanceof Error && 'syscall' in error ? missing(path, error) : error;
}

function missing(path: string, cause: unknown): PseudolabelError {
  const message = `${path} cannot be read: ${whyNotRead(cause)}`;
  return new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
}

function truncated(
  path: string,
  how = 'ends before the values its header declares',
  cause?: unknown,
): PseudolabelError {
  return new PseudolabelError('E_DATA_TRUNCATED', `${path} ${how}`, FETCH_AGAIN, { cause });
}

function trailing(path: string): PseudolabelError {
  return new PseudolabelError('E_DATA_TRAILING', `${path} goes on after the values its header declares`, FETCH_AGAIN);
}
