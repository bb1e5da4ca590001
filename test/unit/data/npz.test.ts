// Tests NumPy arrays as people save them, in every type and order, and files that are damaged or malicious.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Dataset, UNKNOWN } from '../../../src/data/dataset.js';
import { loadDataset } from '../../../src/data/load.js';
import { PseudolabelError } from '../../../src/errors.js';
import { failureOf } from '../../failure.js';
import { folderOfFile } from '../../folders.js';
import { bytesOf, npyBytes, npzBytes, textsNpy, writeNpz } from '../../write-npy.js';

const root = folderOfFile('npz');

type Arrays = Readonly<Record<string, Buffer>>;
let files = 0;
async function load(arrays: Arrays, compress = false): Promise<Dataset> {
  const path = join(root, `${files++}.npz`);
  await writeNpz(path, arrays, compress);
  return loadDataset({ data: path });
}

const pixels = (shape: readonly number[]): Uint8Array =>
  new Uint8Array(shape.reduce((product, axis) => product * axis)).map((_, i) => (i * 7) % 256);
const images = (...shape: number[]): Buffer => npyBytes('|u1', shape, pixels(shape));
const int64 = (...labels: number[]): Buffer =>
  npyBytes('<i8', [labels.length], bytesOf(BigInt64Array.from(labels, BigInt)));
const ofSet = ({ images }: Dataset['train']): number[] => [...Buffer.concat([...images.views()])];
const namesOf = ({ classNames, train }: Dataset): (string | undefined)[] =>
  Array.from(train.labels, (label) => (label === UNKNOWN ? undefined : classNames[label]));

describe('arrays of images', () => {
  it.each([false, true])('are those of Keras, compressed: %s', async (compress) => {
    const arrays = { x_train: images(3, 4, 5), y_train: int64(7, 3, 7), x_test: images(2, 4, 5), y_test: int64(3, 3) };
    const dataset = await load(arrays, compress);
    expect(dataset).toMatchObject({ height: 4, width: 5, channels: 1, classNames: ['3', '7'], notes: [] });
    expect(ofSet(dataset.train)).toEqual([...pixels([3, 4, 5])]);
    expect([...dataset.train.labels, ...dataset.test!.labels]).toEqual([1, 0, 1, 0, 0]);
    expect(ofSet(dataset.test!)).toEqual([...pixels([2, 4, 5])]);
  });

  it.each([
    ['x_train', 'y_train', 'x_unlabelled'],
    ['X_train', 'Y_train', 'X_unlabeled'],
    ['train_images', 'train_labels', 'unlabeled'],
    ['images', 'labels', 'unlabelled'],
    ['X', 'y', 'unlabelled_images'],
    ['data', 'target', 'x-unlabelled'],
    ['arr_0', 'arr_1', 'unsupervised'],
  ])('are called %s, %s and %s', async (x, y, unlabelled) => {
    const dataset = await load({ [x]: images(2, 2, 2), [y]: int64(0, 1), [unlabelled]: images(3, 2, 2) });
    expect(namesOf(dataset)).toEqual(['0', '1', undefined, undefined, undefined]);
    expect(ofSet(dataset.train)).toEqual([...pixels([2, 2, 2]), ...pixels([3, 2, 2])]);
  });

  it('may be .npy files of a folder, one file, or the one archive of a folder', async () => {
    const folder = join(root, 'arrays');
    await mkdir(folder);
    await writeFile(join(folder, 'x_train.npy'), images(2, 2, 2));
    expect((await loadDataset({ data: join(folder, 'x_train.npy') })).train.count).toBe(2);
    await writeFile(join(folder, 'y_train.npy'), int64(4, 5));
    expect((await loadDataset({ data: folder })).classNames).toEqual(['4', '5']);
    await writeNpz(join(folder, 'all.npz'), { x: images(5, 2, 2) });
    expect((await loadDataset({ data: folder })).train.count).toBe(5);
  });

  it('have colours last, first where that is clear, or no axes of pixels, and the last two are said', async () => {
    expect(await load({ x: images(2, 4, 5, 3) })).toMatchObject({ height: 4, width: 5, channels: 3, notes: [] });
    const first = await load({ x: images(2, 3, 4, 5) });
    expect(first).toMatchObject({
      height: 4,
      width: 5,
      channels: 3,
      notes: [expect.stringMatching(/3 channels of 4 x 5/)],
    });
    const planes = pixels([2, 3, 4, 5]);
    const moved = Array.from({ length: 2 * 4 * 5 * 3 }, (_, i) => {
      const [n, y, x, c] = [Math.floor(i / 60), Math.floor(i / 15) % 4, Math.floor(i / 3) % 5, i % 3];
      return planes[n * 60 + c * 20 + y * 5 + x];
    });
    expect(ofSet(first.train)).toEqual(moved);
    const flat = await load({ x: images(2, 16) });
    expect(flat).toMatchObject({ height: 4, width: 4, channels: 1, notes: [expect.stringMatching(/images of 4 x 4/)] });
  });

  it('are the same in Fortran order', async () => {
    const shape = [3, 4, 5, 3];
    const values = pixels(shape);
    const turned = new Uint8Array(values.length);
    values.forEach((value, i) => {
      const [n, y, x, c] = [Math.floor(i / 60), Math.floor(i / 15) % 4, Math.floor(i / 3) % 5, i % 3] as const;
      turned[n + 3 * (y + 4 * (x + 5 * c))] = value;
    });
    const dataset = await load({ x: npyBytes('|u1', shape, turned, { fortran: true }) });
    expect(ofSet(dataset.train)).toEqual([...values]);
  });

  const swapped = (values: ArrayBufferView, size: number): Uint8Array =>
    Uint8Array.from(bytesOf(values), (_, i) => bytesOf(values)[i - (i % size) + size - 1 - (i % size)]!);
  const bytes = [0, 1, 127, 128, 254, 255];
  it.each<[string, Uint8Array]>([
    ['<f4', bytesOf(Float32Array.from(bytes))],
    ['<f4', bytesOf(Float32Array.from(bytes, (byte) => byte / 255))],
    ['<f8', bytesOf(Float64Array.from(bytes, (byte) => byte / 255))],
    [
      '>f4',
      swapped(
        Float32Array.from(bytes, (byte) => byte / 255),
        4,
      ),
    ],
    ['>f8', swapped(Float64Array.from(bytes), 8)],
    ['<f2', bytesOf(Uint16Array.of(0, 0x3c00, 0x57f0, 0x5800, 0x5bf0, 0x5bf8))],
    ['<f2', bytesOf(Uint16Array.of(0, 0x1c04, 0x37f8, 0x3804, 0x3bf8, 0x3c00))],
    ['<i2', bytesOf(Int16Array.from(bytes))],
    ['>u4', swapped(Uint32Array.from(bytes), 4)],
    ['<i8', bytesOf(BigInt64Array.from(bytes, BigInt))],
  ])('of type %s are bytes, and what was assumed is said', async (descr, values) => {
    const dataset = await load({ x: npyBytes(descr, [1, 2, 3], values) });
    expect(ofSet(dataset.train)).toEqual(bytes);
    expect(dataset.notes).toEqual([expect.stringMatching(/taken to go from 0 to (1|255)/)]);
  });

  it('of two sets are in one range, and truth values are black and white', async () => {
    const floats = (...values: number[]): Buffer =>
      npyBytes('<f4', [1, 1, values.length], bytesOf(Float32Array.from(values)));
    const dataset = await load({ x_train: floats(0, 255), y_train: int64(0), x_test: floats(0, 1), y_test: int64(0) });
    expect(ofSet(dataset.test!)).toEqual([0, 1]);
    const dark = await load({ x_train: floats(0, 1), y_train: int64(0), x_test: floats(0, 255), y_test: int64(0) });
    expect(ofSet(dark.train)).toEqual([0, 1]);
    const truth = await load({ x: npyBytes('|b1', [1, 1, 2], Uint8Array.of(0, 1)) });
    expect(ofSet(truth.train)).toEqual([0, 255]);
  });

  it.each<[string, RegExp, Arrays]>([
    ['E_DATA_VALUES', /the value -1,/, { x: npyBytes('<f4', [1, 1, 2], bytesOf(Float32Array.of(-1, 1))) }],
    ['E_DATA_VALUES', /the value 65535,/, { x: npyBytes('<u2', [1, 1, 2], bytesOf(Uint16Array.of(0, 65535))) }],
    ['E_DATA_VALUES', /the value NaN,/, { x: npyBytes('<f4', [1, 1, 2], bytesOf(Float32Array.of(0, Number.NaN))) }],
    ['E_DATA_SHAPE', /2 x 4 x 5 x 4/, { x: images(2, 4, 5, 4) }],
    ['E_DATA_SHAPE', /2 x 3072/, { x: images(2, 3072) }],
    ['E_DATA_SHAPE', /shape 7/, { x: images(7) }],
    ['E_DATA_EMPTY', /0 x 2 x 2/, { x: npyBytes('|u1', [0, 2, 2], new Uint8Array()) }],
    ['E_DATA_SHAPE', /2 x 3 x 1 values.* 2 x 2 x 1/, { x: images(2, 2, 2), unlabelled: images(2, 2, 3) }],
    ['E_DATA_VALUES', /texts where pixels/, { x: textsNpy(['a', 'b']) }],
    ['E_DATA_FORMAT', /no images to train with among its arrays: z/, { z: images(2, 2, 2) }],
    [
      'E_DATA_AMBIGUOUS',
      /several arrays for the same: x_train, train_images/,
      { x_train: images(1, 2, 2), train_images: images(1, 2, 2) },
    ],
    ['E_DATA_FORMAT', /values of the type "<c8"/, { x: npyBytes('<c8', [1, 1, 1], new Uint8Array(8)) }],
    [
      'E_DATA_FORMAT',
      /Python objects, which are pickled/,
      { x: npyBytes('|O', [1, 1, 1], Buffer.from('cos\nsystem\n')) },
    ],
    ['E_DATA_COUNT', /3 labels for the 2 images/, { x: images(2, 2, 2), y: int64(0, 1, 0) }],
    ['E_DATA_SHAPE', /one label for each image/, { x: images(2, 2, 2), y: images(2, 10) }],
    ['E_DATA_CLASSES', /label -2/, { x: images(2, 2, 2), y: int64(0, -2) }],
    ['E_DATA_VALUES', /label 0.5/, { x: images(2, 2, 2), y: npyBytes('<f8', [2], bytesOf(Float64Array.of(0.5, 1))) }],
    [
      'E_DATA_CLASSES',
      /label 5/,
      { x_train: images(1, 2, 2), y_train: int64(0), x_test: images(1, 2, 2), y_test: int64(5) },
    ],
  ])('are refused with %s: %s', async (code, message, arrays) => {
    const error = await failureOf(load(arrays), root);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });
});

describe('arrays of labels', () => {
  const x = images(4, 2, 2);
  it.each<[string, Buffer, readonly (string | undefined)[]]>([
    ['64-bit integers', int64(3, -1, 10, 3), ['3', undefined, '10', '3']],
    ['bytes', npyBytes('|u1', [4, 1], Uint8Array.of(3, 3, 10, 255)), ['3', '3', '10', '255']],
    [
      'floats',
      npyBytes('<f8', [4], bytesOf(Float64Array.of(3, Number.NaN, 10, -1))),
      ['3', undefined, '10', undefined],
    ],
    ['truth values', npyBytes('|b1', [4], Uint8Array.of(0, 1, 1, 0)), ['0', '1', '1', '0']],
    ['texts', textsNpy(['cat', '', 'thé', '𝒳']), ['cat', undefined, 'thé', '𝒳']],
    ['bytes of texts', npyBytes('|S3', [4], Buffer.from('cat\0\0\0dogcat')), ['cat', undefined, 'dog', 'cat']],
  ])('are %s', async (_, y, names) => {
    expect(namesOf(await load({ x, y }))).toEqual(names);
  });

  it('have the names of classes from an array, and are left out of the test where none is known', async () => {
    const class_names = textsNpy(['cat', 'dog', 'eel']);
    const dataset = await load({ x, y: int64(2, 0, 0, -1), class_names, x_test: x, y_test: int64(-1, -1, -1, -1) });
    expect(dataset).toMatchObject({ classNames: ['cat', 'eel'], test: undefined });
    expect(namesOf(dataset)).toEqual(['eel', 'cat', 'cat', undefined]);
  });

  it('without images, and arrays of other names, are said not to be used', async () => {
    const { notes, test } = await load({ x, x_val: x, y_val: x, x_test: x });
    expect([notes, test]).toEqual([[expect.stringMatching(/not used are x_val, y_val, x_test$/)], undefined]);
  });
});

describe('a file that is damaged or means harm', () => {
  const outcome = async (path: string): Promise<Dataset | PseudolabelError> =>
    loadDataset({ data: path }).catch((error: unknown) => {
      if (error instanceof PseudolabelError) return error;
      throw error;
    });
  const write = async (bytes: Uint8Array, name: string): Promise<string> => {
    await writeFile(join(root, name), bytes);
    return join(root, name);
  };

  it('is refused where it is cut short anywhere', async () => {
    for (const [name, bytes] of [
      ['cut.npy', images(2, 3, 3)],
      ['cut.npz', await npzBytes({ x: images(2, 3, 3) }, true)],
    ] as const)
      for (let length = 0; length < bytes.length; length++)
        expect(
          await outcome(await write(bytes.subarray(0, length), name)),
          `${name} of ${length} bytes`,
        ).toBeInstanceOf(PseudolabelError);
  });

  it('gives images or an error of ours where any byte is another', async () => {
    const archive = await npzBytes({ x: images(2, 3, 3), y: int64(0, 1) }, true);
    const one = images(2, 3, 3);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, mask, isArchive) => {
        const bytes = Buffer.from(isArchive ? archive : one);
        bytes[at % bytes.length]! ^= mask;
        const found = await outcome(await write(bytes, isArchive ? 'flip.npz' : 'flip.npy'));
        if (found instanceof PseudolabelError) return;
        expect(found.train.count * found.pixels).toBe(18);
      }),
      { numRuns: 400 },
    );
  });

  it('has any header, and is refused or holds what it declares', async () => {
    const piece = fc.constantFrom(
      "{'descr': ",
      "'|u1'",
      ", 'shape': ",
      '(2, 3, 3)',
      '(2L,)',
      ", 'fortran_order': ",
      'False',
      '}',
      '(',
      ')',
      ',',
      "'",
      '[',
      ']',
      ' ',
      '9'.repeat(20),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const found = await outcome(
          await write(npyBytes('', [], pixels([18]), { header: pieces.join('') }), 'any.npy'),
        );
        if (!(found instanceof PseudolabelError)) expect(found.train.count * found.pixels).toBe(18);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [
      'declares more than it has',
      "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000, 1000), }",
      'E_DATA_TRUNCATED',
    ],
    [
      'declares more than numbers hold',
      "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 99999999999), }",
      'E_DATA_SHAPE',
    ],
    ['is a record', "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", 'E_DATA_FORMAT'],
    ['is a program', "__import__('os').system('true')", 'E_DATA_MAGIC'],
    ['has 60,000 spaces', `{${' '.repeat(60_000)}`, 'E_DATA_MAGIC'],
  ])('is refused where it %s', async (_, header, code) => {
    const found = await outcome(await write(npyBytes('', [], pixels([18]), { header }), 'declared.npy'));
    expect(found).toMatchObject({ code });
  });

  it('is refused where its header is of megabytes, or of another version', async () => {
    const long = npyBytes('|u1', [1, 1, 1], pixels([1]), { version: 2 });
    long.writeUInt32LE(2 ** 31, 8);
    expect(await outcome(await write(long, 'long.npy'))).toMatchObject({ code: 'E_DATA_MAGIC' });
    const later = npyBytes('|u1', [1, 1, 1], pixels([1]));
    later[6] = 9;
    expect(await outcome(await write(later, 'later.npy'))).toMatchObject({ code: 'E_DATA_MAGIC' });
  });

  it('is refused where it inflates as decompression bombs do, before memory is taken', async () => {
    const bytes = await npzBytes({ x: images(100, 2, 2) }, true);
    bytes.writeUInt32LE(2 ** 29, bytes.indexOf('PK\x01\x02') + 24);
    const found = await outcome(await write(bytes, 'bomb.npz'));
    expect(found).toMatchObject({ code: 'E_DATA_CHECKSUM', message: expect.stringMatching(/decompression bombs/) });
  });

  it('is refused where a name in it leads out of it', async () => {
    const bytes = await npzBytes({ 'aa/x.npy': images(1, 2, 2) });
    const name = Buffer.from(bytes.toString('latin1').replaceAll('aa/x.npy', '../x.npy'), 'latin1');
    expect(await outcome(await write(name, 'path.npz'))).toMatchObject({ code: 'E_DATA_CHECKSUM' });
  });
});
