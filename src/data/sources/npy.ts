// Reads NumPy's .npy arrays: the header by a grammar of our own, the values in chunks. Nothing is ever unpickled.
import { PseudolabelError } from '../../errors.js';

/** An array in a file or an archive. */
export interface NpyFile {
  /** The name for errors: 'data.npz: x_train.npy'. */
  readonly path: string;
  /** The number of bytes. */
  readonly bytes: number;
  /** Yields the bytes from the start, each time it is called. Throws PseudolabelError. */
  read(): AsyncIterable<Buffer>;
}

type Kind = 'unsigned' | 'signed' | 'float' | 'boolean' | 'unicode' | 'byte string';

export interface NpyHeader {
  readonly path: string;
  readonly kind: Kind;
  /** NumPy's name of the type, without the byte order: u1, f4, U12. */
  readonly type: string;
  /** The bytes of a value. */
  readonly size: number;
  readonly isBigEndian: boolean;
  /** Whether the first axis varies fastest. */
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  /** The number of values: the product of the shape. */
  readonly count: number;
  /** The position of the first value, in bytes. */
  readonly start: number;
}

const MAGIC = '\x93NUMPY';
/** The most bytes of a header. NumPy itself reads at most 10,000 characters. */
const MOST_HEADER_BYTES = 2 ** 16;
const MOST_AXES = 32;
const KINDS: Readonly<Record<string, Kind>> = {
  b1: 'boolean',
  u1: 'unsigned',
  u2: 'unsigned',
  u4: 'unsigned',
  u8: 'unsigned',
  i1: 'signed',
  i2: 'signed',
  i4: 'signed',
  i8: 'signed',
  f2: 'float',
  f4: 'float',
  f8: 'float',
};

const SAVE_AGAIN = 'Write the file again with numpy.save or numpy.savez.';

/**
 * Reads the header of an array's file, and no more than its beginning.
 * Throws E_DATA_MAGIC, E_DATA_TRUNCATED, E_DATA_TRAILING, E_DATA_SHAPE, E_DATA_FORMAT.
 */
export async function readHeader(file: NpyFile): Promise<NpyHeader> {
  let start: Buffer = Buffer.alloc(0);
  for await (const chunk of file.read()) {
    start = Buffer.concat([start, chunk]);
    if (start.length < 12 && start.length < file.bytes) continue;
    const end = headerEnd(file.path, start);
    if (start.length >= end) return headerOf(file, start.toString('latin1', start[6] === 1 ? 10 : 12, end), end);
  }
  if (start.length < 12) headerEnd(file.path, start);
  throw npyError('E_DATA_TRUNCATED', `${file.path} ends within its header`);
}

function headerEnd(path: string, start: Buffer): number {
  if (start.toString('latin1', 0, Math.min(6, start.length)) !== MAGIC) {
    const found = start.length === 0 ? 'it is empty' : `it begins with the bytes ${start.toString('hex', 0, 6)}`;
    throw npyError('E_DATA_MAGIC', `${path} is not a NumPy array: ${found}`);
  }
  if (start.length < 12) throw npyError('E_DATA_TRUNCATED', `${path} ends within its header`);
  const [version, length] = [start[6]!, start[6] === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8)];
  if (version < 1 || version > 3)
    throw npyError('E_DATA_MAGIC', `${path} is a NumPy array of version ${version}; 1 to 3 are known`);
  if (length > MOST_HEADER_BYTES)
    throw npyError('E_DATA_MAGIC', `${path} declares a header of ${length} bytes, more than ${MOST_HEADER_BYTES}`);
  return (version === 1 ? 10 : 12) + length;
}

/** Matches a Python dictionary of three keys, in any order, without white space. */
const DICTIONARY = /^\{((?:'[a-z_]+':(?:'[^']*'|True|False|\([^()]*\)|\[[^{}]*\]),?){3})\}$/;

function headerOf(file: NpyFile, text: string, start: number): NpyHeader {
  const { path } = file;
  const body = DICTIONARY.exec(text.replace(/\s+/g, ''))?.[1] ?? '';
  const descr = /'descr':('[^']*'|\[)/.exec(body)?.[1];
  const order = /'fortran_order':(True|False)/.exec(body)?.[1];
  const sizes = /'shape':\(([\dL,]*)\)/.exec(body)?.[1];
  if (descr === undefined || order === undefined || sizes === undefined)
    throw npyError('E_DATA_MAGIC', `${path} has a header that is not one of a NumPy array`);
  const shape = [...sizes.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  const { kind, type, size, isBigEndian } = typeOf(path, descr.replaceAll("'", ''));
  const count = shape.reduce((product, axis) => product * axis, 1);
  const expected = start + count * size;
  if (shape.length > MOST_AXES || !Number.isSafeInteger(expected))
    throw npyError(
      'E_DATA_SHAPE',
      `${path} declares more values than can be: ${shape.slice(0, MOST_AXES).join(' x ')}`,
    );
  if (expected > file.bytes)
    throw npyError('E_DATA_TRUNCATED', `${path} ends before the ${shape.join(' x ')} values its header declares`);
  if (expected < file.bytes)
    throw npyError('E_DATA_TRAILING', `${path} goes on after the ${shape.join(' x ')} values its header declares`);
  return { path, kind, type, size, isBigEndian, isFortran: order === 'True', shape, count, start };
}

function typeOf(path: string, descr: string): Pick<NpyHeader, 'kind' | 'type' | 'size' | 'isBigEndian'> {
  const [, order = '', type = ''] = /^([<>|=]?)(.*)$/.exec(descr) ?? [];
  const isBigEndian = order === '>';
  const [, letter, digits] = /^([US])(\d{1,4})$/.exec(type) ?? [];
  if (letter === 'U') return { kind: 'unicode', type, size: 4 * Number(digits), isBigEndian };
  if (letter === 'S') return { kind: 'byte string', type, size: Number(digits), isBigEndian };
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kind !== undefined) return { kind, type, size: Number(type[1]), isBigEndian };
  if (type.startsWith('O')) {
    const fix = "Save plain numbers or texts, as array.astype('int64') or array.astype(str) gives them.";
    const message = `${path} has Python objects, which are pickled: to read them could run any program`;
    throw new PseudolabelError('E_DATA_FORMAT', message, fix);
  }
  const message = `${path} has values of the type ${JSON.stringify(descr.slice(0, 20))}`;
  throw new PseudolabelError('E_DATA_FORMAT', message, 'Save numbers or texts: uint8 for pixels, int64 for labels.');
}

/** Yields all values except texts, in the order of the file. Integers beyond 2^53 are rounded. */
export async function* numbersOf(file: NpyFile, header: NpyHeader): AsyncGenerator<ArrayLike<number>> {
  for await (const chunk of wholeValues(file, header)) yield decoded(chunk, header);
}

/** Returns the texts of an array, without the zeros that pad them. */
export async function textsOf(file: NpyFile, header: NpyHeader): Promise<string[]> {
  const texts: string[] = [];
  for await (const chunk of wholeValues(file, header))
    for (let at = 0; at < chunk.length; at += header.size)
      texts.push(text(chunk.subarray(at, at + header.size), header));
  while (texts.length < header.count) texts.push(''); // texts of no bytes at all
  return texts;
}

/** Yields the bytes of values, cut between values. Throws E_DATA_TRUNCATED if the file has become shorter. */
async function* wholeValues(file: NpyFile, { path, start, size, count }: NpyHeader): AsyncGenerator<Buffer> {
  let [skip, left, rest]: [number, number, Buffer] = [start, count * size, Buffer.alloc(0)];
  for await (const chunk of file.read()) {
    const body = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - body.length;
    const bytes = rest.length > 0 ? Buffer.concat([rest, body]) : body;
    const whole = Math.min(left, size === 0 ? 0 : bytes.length - (bytes.length % size));
    rest = bytes.subarray(whole);
    left -= whole;
    if (whole > 0) yield bytes.subarray(0, whole);
  }
  if (left > 0) throw npyError('E_DATA_TRUNCATED', `${path} ends before the values its header declares`);
}

function decoded(chunk: Buffer, { type, size, isBigEndian }: NpyHeader): ArrayLike<number> {
  if (size === 1 && type !== 'i1') return chunk;
  const bytes = Buffer.from(new ArrayBuffer(chunk.length));
  bytes.set(chunk);
  if (isBigEndian && size === 2) bytes.swap16();
  if (isBigEndian && size === 4) bytes.swap32();
  if (isBigEndian && size === 8) bytes.swap64();
  return viewOf(bytes.buffer as ArrayBuffer, type);
}

/** Returns a view of the bytes. Every machine that runs this is little-endian, as WebAssembly is. */
function viewOf(bytes: ArrayBuffer, type: string): ArrayLike<number> {
  switch (type) {
    case 'i1':
      return new Int8Array(bytes);
    case 'u2':
      return new Uint16Array(bytes);
    case 'i2':
      return new Int16Array(bytes);
    case 'u4':
      return new Uint32Array(bytes);
    case 'i4':
      return new Int32Array(bytes);
    case 'u8':
      return Float64Array.from(new BigUint64Array(bytes), Number);
    case 'i8':
      return Float64Array.from(new BigInt64Array(bytes), Number);
    case 'f2':
      return Float32Array.from(new Uint16Array(bytes), half);
    case 'f4':
      return new Float32Array(bytes);
    default:
      return new Float64Array(bytes);
  }
}

/** Returns the value of a 16-bit float. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function text(bytes: Buffer, { path, kind, isBigEndian }: NpyHeader): string {
  if (kind === 'byte string') return bytes.toString('utf8').replace(/\0+$/, '');
  const points = Array.from({ length: bytes.length / 4 }, (_, i) =>
    isBigEndian ? bytes.readUInt32BE(4 * i) : bytes.readUInt32LE(4 * i),
  );
  if (points.some((point) => point > 0x10ffff))
    throw npyError('E_DATA_MAGIC', `${path} has texts with characters that there are not`);
  return String.fromCodePoint(...points).replace(/\0+$/, '');
}

function npyError(code: 'E_DATA_MAGIC' | 'E_DATA_TRUNCATED' | 'E_DATA_TRAILING' | 'E_DATA_SHAPE', message: string) {
  return new PseudolabelError(code, message, SAVE_AGAIN);
}
