// The format of a sealed file: a JSON header and arrays of numbers, with a SHA-256 at the end, so that damage anywhere
// is noticed.
//
//   magic (8 bytes) | version, header bytes (2 x uint32) | header, padded with spaces | arrays, each padded with zeros |
//   SHA-256 (32 bytes)
//
// The header is {"content": ..., "arrays": [{name, dtype, length, offset}]}, with offsets from its end. Every array
// begins at a multiple of 64 bytes, so that the arrays can be views of the one block of memory that a file is read
// into. All numbers are little-endian, as on every platform that TensorFlow's library is built for.
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { fill, parseJson, READING } from '../files/read.js';

export type NumberArray = Float32Array | Uint16Array;

export interface Sealed {
  /** The content that was written, parsed from JSON but not validated. */
  readonly content: unknown;
  readonly arrays: ReadonlyMap<string, NumberArray>;
}

/** What a header declares. Nothing of it is verified yet. */
export interface Promised {
  readonly content: unknown;
  /** The lengths of the arrays by their names. */
  readonly lengths: ReadonlyMap<string, number>;
}

/** Thrown if the file is not as it was written. The message ends a sentence that begins with the file's name. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile';
}

/** Thrown if the file declares another version, which may be true. */
export class OtherFormat extends DamagedFile {}

/** The file's first bytes. A transfer that converts line ends changes them, so that this is noticed at once. */
const MAGIC = Buffer.from('PLSEAL\r\n');
const VERSION = 2;
const PREAMBLE_BYTES = MAGIC.length + 8;
const DIGEST_BYTES = 32;
const MOST_HEADER_BYTES = 2 ** 24;
/** The most bytes of a file. No state of a run is larger than what WebAssembly can address. */
const MOST_BYTES = 2 ** 32;
/** The bytes of a piece. They stay in the processor's cache between hashing and writing or reading. */
const PIECE_BYTES = 2 ** 22;
const ALIGNMENT = 64;

const HEADER = z.strictObject({
  content: z.unknown(),
  arrays: z.array(
    z.strictObject({
      name: z.string(),
      dtype: z.enum(['float32', 'uint16']),
      length: z.int().nonnegative(),
      offset: z.int().nonnegative(),
    }),
  ),
});
type Header = z.infer<typeof HEADER>;

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const bytesOf = ({ dtype, length }: Header['arrays'][number]): number => length * (dtype === 'float32' ? 4 : 2);

/**
 * Yields the bytes of a sealed file, piece by piece. The arrays are not copied, so that they must not change until the
 * last piece is written.
 * @param content any JSON value
 */
export function* seal(content: unknown, arrays: Readonly<Record<string, NumberArray>>): Generator<Uint8Array> {
  const hash = createHash('sha256');
  for (const piece of pieces(content, arrays)) {
    hash.update(piece);
    yield piece;
  }
  yield hash.digest();
}

function* pieces(content: unknown, arrays: Readonly<Record<string, NumberArray>>): Generator<Uint8Array> {
  const header: Header = { content, arrays: [] };
  let offset = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const dtype = array instanceof Float32Array ? 'float32' : 'uint16';
    header.arrays.push({ name, dtype, length: array.length, offset });
    offset += padded(array.byteLength);
  }
  const json = Buffer.from(JSON.stringify(header));
  if (json.length > MOST_HEADER_BYTES - ALIGNMENT) throw new RangeError(`a header of ${json.length} bytes is too long`);
  const start = Buffer.alloc(padded(PREAMBLE_BYTES + json.length), ' ');
  start.set(MAGIC);
  start.writeUInt32LE(VERSION, MAGIC.length);
  start.writeUInt32LE(start.length - PREAMBLE_BYTES, MAGIC.length + 4);
  start.set(json, PREAMBLE_BYTES);
  yield start;
  for (const { buffer, byteOffset, byteLength } of Object.values(arrays)) {
    for (let at = 0; at < byteLength; at += PIECE_BYTES) {
      yield new Uint8Array(buffer, byteOffset + at, Math.min(PIECE_BYTES, byteLength - at));
    }
    yield new Uint8Array(padded(byteLength) - byteLength);
  }
}

/**
 * Reads a sealed file. Its arrays are views of one block of memory, which is allocated only if the file is as long as
 * its header declares.
 * @param accept gets what the header declares before memory is allocated for it, and throws to refuse it
 * @throws DamagedFile, or the system's error if the file cannot be read
 */
export async function unseal(path: string, accept: (promised: Promised) => void = () => undefined): Promise<Sealed> {
  const handle = await open(path, READING);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new DamagedFile('is not a file');
    const { size } = found;
    const { header, bodyStart } = await readHeader(handle, size);
    checkLayout(header, size - bodyStart - DIGEST_BYTES);
    accept({ content: header.content, lengths: new Map(header.arrays.map(({ name, length }) => [name, length])) });
    const file = await readVerified(handle, size);
    const arrays = new Map<string, NumberArray>();
    for (const { name, dtype, length, offset } of header.arrays) {
      const View = dtype === 'float32' ? Float32Array : Uint16Array;
      arrays.set(name, new View(file, bodyStart + offset, length));
    }
    return { content: header.content, arrays };
  } finally {
    await handle.close();
  }
}

async function readHeader(handle: FileHandle, size: number): Promise<{ header: Header; bodyStart: number }> {
  if (size > MOST_BYTES) throw new DamagedFile('has more than 4 GiB');
  if (size < PREAMBLE_BYTES) throw new DamagedFile('ends within its first bytes');
  const preamble = await readBytes(handle, 0, Buffer.alloc(PREAMBLE_BYTES));
  if (!preamble.subarray(0, MAGIC.length).equals(MAGIC)) throw new DamagedFile('does not begin as such a file');
  const version = preamble.readUInt32LE(MAGIC.length);
  if (version !== VERSION) throw new OtherFormat(`has format ${version}, and this version reads ${VERSION}`);
  const headerBytes = preamble.readUInt32LE(MAGIC.length + 4);
  const bodyStart = PREAMBLE_BYTES + headerBytes;
  if (headerBytes > MOST_HEADER_BYTES || bodyStart % ALIGNMENT !== 0) throw new DamagedFile('has a damaged header');
  if (bodyStart > size) throw new DamagedFile('ends within its header');
  const json = await readBytes(handle, PREAMBLE_BYTES, Buffer.alloc(headerBytes));
  try {
    return { header: HEADER.parse(parseJson(json.toString())), bodyStart };
  } catch {
    throw new DamagedFile('has a damaged header');
  }
}

function checkLayout({ arrays }: Header, bodyBytes: number): void {
  let end = 0;
  for (const array of arrays) {
    if (array.offset !== end) throw new DamagedFile('has a damaged header');
    end += padded(bytesOf(array));
  }
  if (bodyBytes < end) throw new DamagedFile('ends before the arrays that its header declares');
  if (bodyBytes > end) throw new DamagedFile('goes on after the arrays that its header declares');
}

/** Reads and hashes all bytes of the file, piece by piece. */
async function readVerified(handle: FileHandle, size: number): Promise<ArrayBuffer> {
  const file = new Uint8Array(size);
  const body = file.subarray(0, size - DIGEST_BYTES);
  const hash = createHash('sha256');
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    hash.update(await readBytes(handle, at, body.subarray(at, at + PIECE_BYTES)));
  }
  const digest = await readBytes(handle, body.length, file.subarray(body.length));
  if (!hash.digest().equals(digest)) throw new DamagedFile('does not match its checksum');
  return file.buffer;
}

/** Fills `bytes` with those of the file at `position`, and returns it. */
async function readBytes<T extends Uint8Array>(handle: FileHandle, position: number, bytes: T): Promise<T> {
  if ((await fill(handle, position, bytes)) < bytes.length) throw new DamagedFile('ends while it is read');
  return bytes;
}
