// Tests the IDX reader. It reads back what was written. Anything else is an error, never a crash or an array of the
// wrong size.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IdxFile, readIdx, readIdxIntegers } from '../../../src/data/sources/idx.js';
import { PseudolabelError } from '../../../src/errors.js';
import { failureOf } from '../../failure.js';
import { folderOfFile } from '../../folders.js';
import { idxBytes } from '../../write-idx.js';

const folder = folderOfFile('idx');
const path = join(folder, 'file');

async function read(bytes: Uint8Array): Promise<IdxFile> {
  await writeFile(path, bytes);
  return readIdx(path);
}

const codeOf = async (reading: Promise<unknown>): Promise<string> => (await failureOf(reading, folder)).code;

const anyFile = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }).chain((shape) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return fc.record({ shape: fc.constant(shape), values: fc.uint8Array({ minLength: size, maxLength: size }) });
});

const small = idxBytes([2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));

function littleEndian(): Buffer {
  const bytes = Buffer.from(small);
  bytes.subarray(4, 12).swap32();
  return bytes;
}

describe('readIdxIntegers', () => {
  const types = [
    { type: 8, bytes: 1, least: 0, most: 255 },
    { type: 9, bytes: 1, least: -128, most: 127 },
    { type: 11, bytes: 2, least: -32768, most: 32767 },
    { type: 12, bytes: 4, least: -(2 ** 31), most: 2 ** 31 - 1 },
  ];
  const anyIntegers = fc.constantFrom(...types).chain(({ type, bytes, least, most }) =>
    fc.record({
      type: fc.constant(type),
      bytes: fc.constant(bytes),
      values: fc.array(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 9 }),
    }),
  );

  it('reads back integers of every type, plain or gzipped', async () => {
    await fc.assert(
      fc.asyncProperty(anyIntegers, fc.boolean(), async ({ type, bytes, values }, zip) => {
        const body = Buffer.alloc(bytes * values.length);
        for (const [i, value] of values.entries()) {
          if (type === 8) body.writeUInt8(value, i);
          else body.writeIntBE(value, bytes * i, bytes);
        }
        const file = idxBytes([values.length], body, type);
        await writeFile(path, zip ? gzipSync(file) : file);
        const found = await readIdxIntegers(path);
        expect(found).toEqual({ shape: [values.length], values: Int32Array.from(values), isUnsigned: type === 8 });
      }),
    );
  });

  it('refuses floats, and more values than the file can hold before it takes the memory', async () => {
    await writeFile(path, idxBytes([1], Buffer.alloc(4), 13));
    expect(await failureOf(readIdxIntegers(path), folder)).toMatchObject({ code: 'E_DATA_MAGIC' });
    const before = process.memoryUsage().arrayBuffers;
    await writeFile(path, idxBytes([2 ** 29], Buffer.alloc(100), 12));
    expect(await codeOf(readIdxIntegers(path))).toBe('E_DATA_TRUNCATED');
    await writeFile(path, idxBytes([2 ** 31], Buffer.alloc(100), 12));
    expect(await codeOf(readIdxIntegers(path))).toBe('E_DATA_SHAPE');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
  });
});

describe('readIdx', () => {
  it('reads back what was written, plain or gzipped whatever the name', async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, fc.boolean(), async (file, zip) => {
        const bytes = idxBytes(file.shape, file.values);
        expect(await read(zip ? gzipSync(bytes) : bytes)).toEqual(file);
      }),
    );
  });

  it('reads a file of more than one chunk', async () => {
    const file = { shape: [3, 1_000_003], values: new Uint8Array(3_000_009).map((_, i) => i % 251) };
    for (const bytes of [idxBytes(file.shape, file.values), gzipSync(idxBytes(file.shape, file.values))]) {
      const { shape, values } = await read(bytes);
      expect(shape).toEqual(file.shape);
      expect(Buffer.compare(values, file.values)).toBe(0);
    }
  });

  it('refuses a file cut short anywhere', async () => {
    const zipped = gzipSync(small);
    for (let length = 0; length < small.length; length++) {
      expect(await codeOf(read(small.subarray(0, length)))).toBe('E_DATA_TRUNCATED');
    }
    // If it is cut within its magic bytes, a gzipped file is no longer recognised, but it is too short for an IDX file.
    for (let length = 0; length < zipped.length; length++) {
      expect(await codeOf(read(zipped.subarray(0, length)))).toBe('E_DATA_TRUNCATED');
    }
  });

  it('refuses bytes after the end', async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, fc.uint8Array({ minLength: 1, maxLength: 9 }), async (file, more) => {
        const bytes = Buffer.concat([idxBytes(file.shape, file.values), more]);
        expect(await codeOf(read(bytes))).toBe('E_DATA_TRAILING');
        expect(await codeOf(read(gzipSync(bytes)))).toBe('E_DATA_TRAILING');
      }),
    );
  });

  it('refuses bytes after the end of a gzip stream', async () => {
    const zipped = gzipSync(small);
    expect(await codeOf(read(Buffer.concat([zipped, Buffer.alloc(5)])))).toBe('E_DATA_TRAILING');
    expect(await codeOf(read(Buffer.concat([zipped, Buffer.alloc(3 * 2 ** 20)])))).toBe('E_DATA_TRAILING');
    expect(await codeOf(read(Buffer.concat([zipped, Buffer.from('abc')])))).toBe('E_DATA_CHECKSUM');
    expect(await codeOf(read(Buffer.concat([zipped, zipped])))).toBe('E_DATA_TRAILING');
  });

  it('refuses a file with any bit of its header flipped', async () => {
    const header = small.length - 6;
    for (let bit = 0; bit < 8 * header; bit++) {
      const bytes = Buffer.from(small);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(await codeOf(read(bytes))).toMatch(/^E_DATA_(MAGIC|EMPTY|SHAPE|TRUNCATED|TRAILING)$/);
    }
  });

  it('gives the values that were written or an error when any bit of a gzipped file is flipped', async () => {
    const zipped = gzipSync(small);
    const intact = await read(zipped);
    let refused = 0;
    for (let bit = 0; bit < 8 * zipped.length; bit++) {
      const bytes = Buffer.from(zipped);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const outcome: unknown = await read(bytes).catch((error: unknown) => error);
      if (outcome instanceof PseudolabelError) refused += 1;
      else expect(outcome).toEqual(intact); // The gzip header holds a date and a system, which do not matter here.
    }
    expect(refused).toBeGreaterThan(8 * small.length);
  });

  it('reads any bytes as what they declare, or refuses them', async () => {
    const prefix = fc.constantFrom([], [0, 0, 8], [0, 0, 8, 1, 0, 0, 0], [0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0]);
    await fc.assert(
      fc.asyncProperty(prefix, fc.uint8Array({ maxLength: 12 }), async (start, rest) => {
        const bytes = Buffer.from([...start, ...rest]);
        const outcome: unknown = await read(bytes).catch((error: unknown) => error);
        if (outcome instanceof PseudolabelError) return;
        const { shape, values } = outcome as IdxFile;
        expect(idxBytes(shape, values)).toEqual(bytes);
      }),
    );
  });

  it('refuses, before it takes the memory, more values than the file can hold or than 4 GiB', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const claims = (shape: number[]) => idxBytes(shape, new Uint8Array(100));
    expect(await codeOf(read(claims([2 ** 31])))).toBe('E_DATA_TRUNCATED');
    expect(await codeOf(read(gzipSync(claims([2 ** 31]))))).toBe('E_DATA_TRUNCATED');
    expect(await codeOf(read(claims([2 ** 31, 3])))).toBe('E_DATA_SHAPE');
    expect(await codeOf(read(gzipSync(claims([2 ** 31, 3]))))).toBe('E_DATA_SHAPE');
    expect(await codeOf(read(claims(Array(255).fill(2 ** 32 - 1))))).toBe('E_DATA_SHAPE');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
  });

  it.each<[string, Uint8Array, string, RegExp, RegExp]>([
    ['a web page', Buffer.from('<!DOCTYPE html><html>'), 'E_DATA_MAGIC', /not an IDX file but a web page/, /Fetch/],
    ['a web page called .gz', Buffer.from('<html>403 Forbidden</html>'), 'E_DATA_MAGIC', /a web page/, /server sent/],
    [
      'an LFS pointer',
      Buffer.from('version https://git-lfs.github.com/spec/v1\noid'),
      'E_DATA_MAGIC',
      /LFS/,
      /git lfs pull/,
    ],
    ['a zip archive', Buffer.from('PK\x03\x04...', 'latin1'), 'E_DATA_MAGIC', /zip archive/, /Unpack/],
    ['a NumPy array', Buffer.from('\x93NUMPY\x01', 'latin1'), 'E_DATA_MAGIC', /NumPy/, /IDX/],
    ['other text', Buffer.from('5,0,4,1,9'), 'E_DATA_MAGIC', /begins with the bytes 352c302c/, /plain or gzipped/],
    ['no bytes', Buffer.alloc(0), 'E_DATA_TRUNCATED', /is empty: it has no bytes/, /Fetch/],
    [
      'signed bytes',
      idxBytes([2], Buffer.alloc(2), 9),
      'E_DATA_MAGIC',
      /has signed bytes where unsigned bytes/,
      /from 0 to 255/,
    ],
    ['16-bit integers', idxBytes([2], Buffer.alloc(4), 11), 'E_DATA_MAGIC', /has 16-bit integers/, /0x08/],
    ['floats', idxBytes([2], Buffer.alloc(8), 13), 'E_DATA_MAGIC', /has 32-bit floats/, /Convert/],
    ['sizes in little-endian order', littleEndian(), 'E_DATA_SHAPE', /little-endian.* 2 x 3/, /big-endian/],
  ])('says what %s is, and what to do', async (_, bytes, code, message, fix) => {
    const error = await failureOf(read(bytes), folder);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), fix: expect.stringMatching(fix) });
  });

  it('refuses an empty set, and a scalar', async () => {
    expect(await codeOf(read(idxBytes([0, 28, 28], new Uint8Array())))).toBe('E_DATA_EMPTY');
    expect(await codeOf(read(idxBytes([], Uint8Array.of(7))))).toBe('E_DATA_MAGIC');
  });

  it('refuses what is not a file, or not there', async () => {
    expect(await codeOf(readIdx(folder))).toBe('E_DATA_MISSING');
    expect(await codeOf(readIdx(join(folder, 'absent')))).toBe('E_DATA_MISSING');
  });
});
