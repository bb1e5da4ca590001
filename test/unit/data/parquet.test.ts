// Tests Parquet files as the Hugging Face hub has them, and damaged files.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { folderLister } from '../../../src/data/listing.js';
import type { Collection, FoundSet } from '../../../src/data/source.js';
import { PARQUET } from '../../../src/data/sources/parquet.js';
import { checkedPages } from '../../../src/data/sources/parquet-pages.js';
import { PseudolabelError } from '../../../src/errors.js';
import { failureOf } from '../../failure.js';
import { folderOfFile } from '../../folders.js';
import {
  bytesColumn,
  type Column,
  features,
  numberColumn,
  parquetBytes,
  pictureColumn,
  textColumn,
  writeParquet,
} from '../../write-parquet.js';

const root = folderOfFile('parquet');
const OPTIONS = { unlabelled: 'unlabelled', followLinks: false, list: (path: string) => folderLister()(path) };

const picture = (n: number): Uint8Array => Uint8Array.of(0x89, n, n + 1, n + 2);
const pictures = (first: number, count: number): Column =>
  pictureColumn(Array.from({ length: count }, (_, i) => picture(first + i)));
const NAMES = features({ image: { _type: 'Image' }, label: { names: ['cat', 'dog'], _type: 'ClassLabel' } });

let folders = 0;
async function folderOf(files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const folder = join(root, `${folders++}`);
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}
const openFolder = async (files: Readonly<Record<string, Uint8Array>>): Promise<Collection> =>
  PARQUET.open(await folderOf(files), OPTIONS);

async function picturesOf({ images, count }: FoundSet): Promise<number[]> {
  if (images.kind !== 'encoded') return expect.fail('they are encoded');
  const bytes = await Promise.all(Array.from({ length: count }, (_, i) => images.picture(i)));
  return bytes.map((each) => (typeof each === 'string' ? expect.fail('a path') : each[1]!));
}

describe('Parquet files of the hub', () => {
  it('are split by their names, in order, with the names of the classes', async () => {
    const collection = await openFolder({
      'data/train-00001-of-00002.parquet': parquetBytes([pictures(8, 2), numberColumn([1, -1])], NAMES),
      'data/train-00000-of-00002.parquet': parquetBytes(
        [pictures(1, 7), numberColumn([0, 1, 1, 0, 0, null, 1])],
        NAMES,
      ),
      'data/test-00000-of-00001.parquet': parquetBytes([pictures(20, 2), numberColumn([1, 0])], NAMES),
      'data/unsupervised-00000-of-00001.parquet': parquetBytes([pictures(30, 2), numberColumn([0, 0])], NAMES),
      'data/validation-00000-of-00001.parquet': parquetBytes([pictures(40, 2), numberColumn([0, 0])], NAMES),
      'README.md': Buffer.from('---'),
    });
    expect(collection.classNames).toEqual(['cat', 'dog']);
    expect(collection.train.labels).toEqual([0, 1, 1, 0, 0, undefined, 1, 1, undefined, undefined, undefined]);
    expect(await picturesOf(collection.train)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31]);
    expect([await picturesOf(collection.test!), collection.test!.labels]).toEqual([
      [20, 21],
      [1, 0],
    ]);
    expect(collection.notes).toEqual([expect.stringMatching(/not used.*validation-00000/)]);
  });

  it('may be in folders by split, or one file of a name that says nothing', async () => {
    const one = parquetBytes([pictures(1, 2), textColumn(['b', null])]);
    const collection = await openFolder({ 'default/train/0000.parquet': one, 'default/test/0000.parquet': one });
    expect([collection.train.labels, collection.test!.labels]).toEqual([
      ['b', undefined],
      ['b', undefined],
    ]);
    const folder = await folderOf({ 'birds.parquet': one });
    for (const path of [folder, join(folder, 'birds.parquet')]) {
      expect(await PARQUET.recognises(path, folderLister())).toBe(true);
      expect(await PARQUET.open(path, OPTIONS)).toMatchObject({
        test: undefined,
        train: { count: 2, labels: ['b', undefined] },
      });
    }
  });

  it('have pictures as bytes, and columns that only their description tells apart', async () => {
    const bytes = [picture(1), picture(2)];
    const plain = await openFolder({ 'train.parquet': parquetBytes([bytesColumn(bytes, 'photo')]) });
    expect([await picturesOf(plain.train), plain.train.labels]).toEqual([[1, 2], undefined]);
    const both = features({ photo: { _type: 'Image' }, kind: { names: ['x', 'y'], _type: 'ClassLabel' } });
    const marked = await openFolder({
      'train.parquet': parquetBytes(
        [bytesColumn([picture(8), picture(9)], 'raw'), bytesColumn(bytes, 'photo'), numberColumn([1, 0], 'kind')],
        both,
      ),
    });
    expect([await picturesOf(marked.train), marked.train.labels, marked.classNames]).toEqual([
      [1, 2],
      [1, 0],
      ['x', 'y'],
    ]);
  });

  it('of CIFAR-100 have the fine labels', async () => {
    const labels = [numberColumn([1, 0], 'fine_label'), numberColumn([0, 0], 'coarse_label')];
    const two = features({
      fine_label: { names: ['a', 'b'], _type: 'ClassLabel' },
      coarse_label: { names: ['c'], _type: 'ClassLabel' },
    });
    const collection = await openFolder({ 'train.parquet': parquetBytes([pictures(1, 2), ...labels], two) });
    expect([collection.train.labels, collection.classNames]).toEqual([
      [1, 0],
      ['a', 'b'],
    ]);
  });

  it('change their key with the file', async () => {
    const folder = await folderOf({ 'train.parquet': parquetBytes([pictures(1, 2)]) });
    const keyOf = async (): Promise<string> => {
      const { images } = (await PARQUET.open(folder, OPTIONS)).train;
      return images.kind === 'encoded' ? images.key : expect.fail('they are encoded');
    };
    const before = await keyOf();
    expect(await keyOf()).toBe(before);
    await writeParquet(join(folder, 'train.parquet'), [pictures(1, 3)]);
    expect(await keyOf()).not.toBe(before);
  });

  it('that are links are read within the folder, and beyond it when that is allowed', async () => {
    const target = join(await folderOf({ 'train.parquet': parquetBytes([pictures(1, 2)]) }), 'train.parquet');
    const folder = await folderOf({ 'blobs/one': parquetBytes([pictures(1, 2)]) });
    await symlink(join('blobs', 'one'), join(folder, 'train-0.parquet'));
    await symlink(target, join(folder, 'train-1.parquet'));
    const inside = await PARQUET.open(folder, OPTIONS);
    expect([inside.train.count, inside.notes]).toEqual([2, [expect.stringMatching(/left out.*train-1/)]]);
    expect((await PARQUET.open(folder, { ...OPTIONS, followLinks: true })).train.count).toBe(4);
    const outside = await folderOf({});
    await mkdir(outside);
    await symlink(target, join(outside, 'train.parquet'));
    expect((await failureOf(PARQUET.open(outside, OPTIONS), outside)).fix).toContain('--follow-links');
  });

  it.each<[string, RegExp, Readonly<Record<string, Uint8Array>>]>([
    [
      'E_DATA_FORMAT',
      /no column of pictures: its columns are text/,
      { 'train.parquet': parquetBytes([textColumn(['a'], 'text')]) },
    ],
    [
      'E_DATA_FORMAT',
      /several columns of pictures: a, b/,
      { 'train.parquet': parquetBytes([bytesColumn([picture(1)], 'a'), bytesColumn([picture(1)], 'b')]) },
    ],
    ['E_DATA_FORMAT', /no training set/, { 'test.parquet': parquetBytes([pictures(1, 1)]) }],
    [
      'E_DATA_AMBIGUOUS',
      /several folders: a, b/,
      { 'a/train.parquet': parquetBytes([pictures(1, 1)]), 'b/train.parquet': parquetBytes([pictures(1, 1)]) },
    ],
    ['E_DATA_VALUES', /label -7/, { 'train.parquet': parquetBytes([pictures(1, 1), numberColumn([-7])]) }],
    [
      'E_DATA_MAGIC',
      /not a Parquet file/,
      { 'train.parquet': Buffer.from('version https://git-lfs.github.com/spec/v1') },
    ],
    [
      'E_DATA_TRUNCATED',
      /ends before its metadata/,
      { 'train.parquet': parquetBytes([pictures(1, 1)]).subarray(0, -1) },
    ],
  ])('are refused with %s: %s', async (code, message, files) => {
    const error = await failureOf(openFolder(files), root);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('without the bytes of a picture are refused once it is asked for', async () => {
    const { train } = await openFolder({ 'train.parquet': parquetBytes([pictureColumn([picture(1), null])]) });
    expect((await failureOf(picturesOf(train), root)).message).toMatch(/no picture in row 1/);
  });
});

describe('a damaged Parquet file', () => {
  const whole = parquetBytes([pictures(1, 5), numberColumn([0, 1, 0, 1, 1])], NAMES);
  const outcome = async (bytes: Uint8Array): Promise<PseudolabelError | number> => {
    const path = join(root, 'damaged.parquet');
    await writeFile(path, bytes);
    try {
      return (await picturesOf((await PARQUET.open(path, OPTIONS)).train)).length;
    } catch (error) {
      if (error instanceof PseudolabelError) return error;
      throw error;
    }
  };

  it('is refused where it is cut short anywhere', async () => {
    for (let length = 0; length < whole.length; length += 7)
      expect(await outcome(whole.subarray(0, length)), `${length} bytes`).toBeInstanceOf(PseudolabelError);
  });

  it('is read as it was when its pages were checked, whatever happens to it then', async () => {
    const bytes = Uint8Array.from(whole);
    const file = {
      byteLength: bytes.length,
      slice: async (first: number, end?: number) => bytes.slice(first, end).buffer,
    };
    const metadata = await parquetMetadataAsync(file);
    const rowEnd = Number(metadata.row_groups[0]!.num_rows);
    const pages = await checkedPages(file, metadata, 0, 'image');
    bytes.fill(0);
    const rows = await parquetReadObjects({
      file: pages,
      metadata,
      columns: ['image'],
      utf8: false,
      rowStart: 0,
      rowEnd,
    });
    expect(rows).toHaveLength(rowEnd);
    for (const { image } of rows) expect(image).toMatchObject({ bytes: expect.any(Uint8Array) });
  });

  it('gives pictures or an error of ours where any bytes are others', async () => {
    const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, mask] of changes) bytes[at]! ^= mask;
        await outcome(bytes);
      }),
      { numRuns: 250 },
    );
  });
});

describe('pictures are called', () => {
  const labels = numberColumn([0, 1, 0, 1]);
  const withPaths = (...paths: (string | null)[]): Column =>
    pictureColumn(
      paths.map((_, i) => picture(i)),
      'image',
      paths,
    );
  const names = (values: readonly (string | null)[]): Column => textColumn(values, 'image_id');
  const idsOf = async (...columns: readonly Column[]) =>
    (await openFolder({ 'train.parquet': parquetBytes([...columns, labels], NAMES) })).train.ids;
  const NO_NAMES = [
    ['a', 'b', 'a', 'd'],
    ['a', null, 'c', 'd'],
    ['a', '', 'c', 'd'],
    ['a', 'b\0', 'c', 'd'],
  ];
  const NO_PATHS = withPaths(null, null, null, null);

  it('as a column says, where each has a name of its own', async () => {
    const paths = withPaths('1.png', '2.png', '3.png', '4.png');
    expect(await idsOf(names(['a.png', 'b/b.png', 'c', 'd']), paths)).toEqual(['a.png', 'b/b.png', 'c', 'd']);
    for (const none of NO_NAMES) expect(await idsOf(names(none), NO_PATHS)).toBeUndefined();
  });

  it('else by the paths beside their bytes, where each has one of its own', async () => {
    const paths = ['img/1.png', 'img/2.png', 'ö.png', '4.png'];
    expect(await idsOf(withPaths(...paths))).toEqual(paths);
    for (const none of NO_NAMES) {
      expect(await idsOf(names(none), withPaths(...paths))).toEqual(paths);
      expect(await idsOf(withPaths(...none))).toBeUndefined();
    }
  });

  it('without a look at the bytes, which are most of the file', async () => {
    const bytes = parquetBytes([withPaths('1.png', '2.png', '3.png', '4.png'), labels], NAMES);
    bytes.fill(0xff, 4, 8); // The page of the first images begins there.
    const { train } = await openFolder({ 'train.parquet': bytes });
    expect(train.ids).toEqual(['1.png', '2.png', '3.png', '4.png']);
    await expect(picturesOf(train)).rejects.toMatchObject({ code: 'E_DATA_CHECKSUM' });
  });

  it('by nothing where several files have the same paths', async () => {
    const bytes = parquetBytes([withPaths('1.png', '2.png', '3.png', '4.png'), labels], NAMES);
    const { train } = await openFolder({ 'train-0.parquet': bytes, 'train-1.parquet': bytes });
    expect([train.count, train.ids]).toEqual([8, undefined]);
  });
});
