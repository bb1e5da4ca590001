// Tests which source reads a path, the errors for paths that none reads, and how labels become classes.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classesOf } from '../../../src/data/classes.js';
import { UNKNOWN } from '../../../src/data/dataset.js';
import { ImageStore } from '../../../src/data/image-store.js';
import type { FoundSet, Label } from '../../../src/data/source.js';
import { FORMATS, sourceFor } from '../../../src/data/sources/sources.js';
import { failureOf } from '../../failure.js';
import { folderOfFile } from '../../folders.js';

const root = folderOfFile('sources');

describe('the source of a path', () => {
  it.each([
    ['idx', 'train-images-idx3-ubyte'],
    ['cifar', 'cifar-10-batches-bin/data_batch_1.bin'],
    ['cifar', 'cifar-10-batches-py/data_batch_1'],
    ['npz', 'x_train.npy'],
    ['npz', 'mnist.npz'],
    ['parquet', 'data/train-00000-of-00001.parquet'],
    ['folder', 'cat/1.png'],
  ])('is %s for a folder with %s', async (name, file) => {
    const folder = join(root, `${name}-${file.replaceAll('/', '-')}`);
    await mkdir(join(folder, file, '..'), { recursive: true });
    await writeFile(join(folder, file), '');
    expect((await sourceFor(folder, undefined)).name).toBe(name);
  });

  it('is the one that is named, if there is one', async () => {
    for (const name of FORMATS) expect((await sourceFor(root, name)).name).toBe(name);
    await expect(sourceFor(root, 'tiff')).rejects.toMatchObject({
      code: 'E_CONFIG',
      fix: expect.stringContaining('npz'),
    });
  });

  it.each([
    ['images.zip', /zip archive.*not read/, /Unpack it/],
    ['images.tar.gz', /an archive/, /Unpack it/],
    ['data.h5', /HDF5/, /numpy.savez/],
    ['data.mat', /MATLAB/, /numpy.savez/],
    ['data.pkl', /a pickle/, /numpy.savez/],
    ['data.tfrecord', /TFRecord/, /numpy.savez/],
    ['data.arrow', /Arrow/, /to_parquet/],
    ['labels.csv', /text file/, /--labels/],
    ['train-images-idx3-ubyte', /one file of IDX/, /folder/],
    ['cat.png', /one picture/, /folder/],
    ['data.xyz', /none of the data that can be read/, /Parquet.*--format/],
  ])('is none for %s, and it is said what to do', async (name, message, fix) => {
    const path = join(root, name);
    await writeFile(path, 'x');
    const error = await failureOf(sourceFor(path, undefined), path);
    expect(error).toMatchObject({
      code: 'E_DATA_FORMAT',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(fix),
    });
  });
});

const setOf = (labels: readonly Label[]): FoundSet => ({
  path: 'here',
  count: labels.length,
  ids: undefined,
  labels,
  images: { kind: 'plain', height: 1, width: 1, channels: 1, store: ImageStore.allocate(labels.length, 1) },
});
const classes = (labels: readonly Label[], classNames?: readonly string[], test?: readonly Label[]) =>
  classesOf({ classNames, train: setOf(labels), test: test && setOf(test), notes: [] });

describe('the classes of labels', () => {
  it('give each label back by its name, with gaps, names like numbers, names in Unicode and labels that nobody knows', () => {
    const label = fc.oneof(
      fc.constant(undefined),
      fc.nat({ max: 2 ** 31 }),
      fc.constantFrom('7', '007', '1e3', '-1', 'constructor', '__proto__', 'é'.normalize('NFC'), '猫'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }).filter((name) => !/\p{Cc}/u.test(name)),
    );
    fc.assert(
      fc.property(fc.array(label, { maxLength: 60 }), (labels) => {
        const { names, train } = classes(labels);
        expect(new Set(names).size).toBe(names.length);
        const back = Array.from(train, (position) => (position === UNKNOWN ? undefined : names[position]));
        expect(back).toEqual(labels.map((each) => (each === undefined ? undefined : String(each).normalize('NFC'))));
      }),
    );
  });

  it('of the same name in two forms of Unicode are one', () => {
    expect(classes(['thé'.normalize('NFD'), 'thé'.normalize('NFC')]).names).toEqual(['thé'.normalize('NFC')]);
    expect([...classes([0, 1, 1], ['a', 'a']).train]).toEqual([0, 0, 0]);
  });

  it('come in the order of the format, those that it does not name after them, and those without labels are told', () => {
    const found = classes([2, 'cow', 9, 0], ['dog', 'eel', 'cat']);
    expect(found).toMatchObject({ names: ['dog', 'cat', '9', 'cow'], unlabelled: ['eel'] });
    expect([...found.train]).toEqual([1, 3, 2, 0]);
  });

  it('may be one, or none at all, or those of the test', () => {
    expect(classes(['a', undefined])).toMatchObject({ names: ['a'], test: undefined });
    expect(classes([undefined])).toMatchObject({ names: [], test: undefined });
    expect(classes([undefined], undefined, [4, 2])).toMatchObject({ names: ['2', '4'] });
  });

  it.each([[''], ['a\u001b[2J'], ['x'.repeat(201)]])('are refused where one is called %j', (name) => {
    expect(() => classes(['a', name])).toThrow(/has a class called/);
  });
});
