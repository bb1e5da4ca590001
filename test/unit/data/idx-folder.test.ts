// Tests folders of IDX files as users have them: labels that are missing, partly known or not numbered from 0, and
// files with other names.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Dataset, knownCount, relabelled, UNKNOWN } from '../../../src/data/dataset.js';
import { loadDataset } from '../../../src/data/load.js';
import { failureOf } from '../../failure.js';
import { folderOfFile } from '../../folders.js';
import { writeIdx } from '../../write-idx.js';

const root = folderOfFile('idx-folder');

/** The type of labels that are 32-bit integers. Other labels are bytes. */
const INT = 12;

interface Labels {
  readonly shape: readonly number[];
  readonly values: Uint8Array;
  readonly type?: number;
}

const bytes = (...labels: number[]): Labels => ({ shape: [labels.length], values: Uint8Array.from(labels) });

function ints(shape: readonly number[], labels: readonly number[]): Labels {
  const values = Buffer.alloc(4 * labels.length);
  for (const [i, label] of labels.entries()) values.writeInt32BE(label, 4 * i);
  return { shape, values, type: INT };
}

const NAMES = { images: 'images-idx3-ubyte', labels: 'labels-idx1-ubyte' };

let folders = 0;
/** Makes a folder with as many images as there are labels in each set. spell: returns the name for a file of MNIST. */
async function folderOf(
  {
    train,
    test,
    count = train?.shape[0] ?? 0,
  }: { train?: Labels | undefined; test?: Labels | undefined; count?: number },
  spell = (name: string) => name,
): Promise<string> {
  const folder = join(root, `set-${folders++}`);
  const write = async (name: string, { shape, values, type }: Labels) => {
    const path = join(folder, spell(name));
    await mkdir(dirname(path), { recursive: true });
    await writeIdx(path, shape, values, type);
  };
  const images = (n: number): Labels => ({ shape: [n, 2, 2], values: new Uint8Array(4 * n).map((_, i) => i) });
  await write(`train-${NAMES.images}`, images(count));
  if (train) await write(`train-${NAMES.labels}`, train);
  if (test) {
    await write(`t10k-${NAMES.images}`, images(test.shape[0]!));
    await write(`t10k-${NAMES.labels}`, test);
  }
  return folder;
}

const load = async (...given: Parameters<typeof folderOf>): Promise<Dataset> =>
  loadDataset({ data: await folderOf(...given) });
const refusalOf = async (...given: Parameters<typeof folderOf>) =>
  failureOf(loadDataset({ data: await folderOf(...given) }), root);

const namesOf = ({ labels }: Dataset['train'], { classNames }: Dataset): (string | undefined)[] =>
  Array.from(labels, (label) => (label === UNKNOWN ? undefined : classNames[label]));

describe('labels of a folder', () => {
  it('keep their numbers as names, whatever numbers occur, and are unknown where they are -1 or, in bytes, 255 (cases 3 and 4)', async () => {
    const byte = fc.constantFrom(1, 3, 8, 26, 254, 255).map((label) => [label, label === 255 ? -1 : label] as const);
    const int = fc.constantFrom(-1, 0, 7, 255, 1000, 2 ** 31 - 1).map((label) => [label, label] as const);
    const some = { minLength: 1, maxLength: 12 };
    const anyLabels = fc.oneof(
      fc
        .array(byte, some)
        .map((all) => ({ file: bytes(...all.map(([label]) => label)), means: all.map(([, label]) => label) })),
      fc.array(int, some).map((all) => ({
        file: ints(
          [all.length],
          all.map(([label]) => label),
        ),
        means: all.map(([, label]) => label),
      })),
    );
    await fc.assert(
      fc.asyncProperty(anyLabels, async ({ file, means }) => {
        const dataset = await load({ train: file });
        const known = means.filter((label) => label >= 0);
        expect(dataset.classNames).toEqual([...new Set(known)].sort((a, b) => a - b).map(String));
        expect(dataset.classes).toBe(new Set(known).size);
        expect(namesOf(dataset.train, dataset)).toEqual(means.map((label) => (label < 0 ? undefined : String(label))));
        expect(knownCount(dataset.train.labels)).toBe(known.length);
      }),
      { numRuns: 60 },
    );
  });

  it('are those of the test as well, by the same names (case 4)', async () => {
    const dataset = await load({ train: bytes(8, 3, 8), test: bytes(3, 3, 8, 3) });
    expect(dataset.classNames).toEqual(['3', '8']);
    expect([...dataset.train.labels]).toEqual([1, 0, 1]);
    expect([...dataset.test!.labels]).toEqual([0, 0, 1, 0]);
  });

  it('may be missing, and then no image has one (cases 3 and 14)', async () => {
    const dataset = await load({ count: 3 });
    expect(dataset).toMatchObject({ test: undefined, classNames: [], train: { count: 3 } });
    expect([...dataset.train.labels]).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
    const tested = await load({ count: 3, test: bytes(5, 7) });
    expect(tested.classNames).toEqual(['5', '7']);
    expect([...tested.test!.labels]).toEqual([0, 1]);
  });

  it('may be missing for the test, or all unknown: then there is no test set (case 14)', async () => {
    expect((await load({ train: bytes(0, 1) })).test).toBeUndefined();
    expect((await load({ train: bytes(0, 1), test: bytes(255, 255) })).test).toBeUndefined();
  });

  it('have 255 as a class where all other bytes are classes as well, and the test has it too', async () => {
    const all = bytes(...Array(256).keys());
    expect((await load({ train: all, test: bytes(255, 0) })).classes).toBe(256);
    expect((await load({ train: all })).classes).toBe(256);
    const { classes, train } = await load({ train: all, test: bytes(254, 0) });
    expect([classes, train.labels[255]]).toEqual([255, UNKNOWN]);
  });

  it('of QMNIST are the first of eight integers an image', async () => {
    const table = [3, 0, 0, 0, 0, 1, 0, 0, 8, 9, 9, 9, 9, 2, 9, 9];
    expect((await load({ train: ints([2, 8], table) })).classNames).toEqual(['3', '8']);
  });

  it('of more classes than can be trained are refused', async () => {
    const error = load({ train: ints([4097], [...Array(4097).keys()]) });
    await expect(error).rejects.toMatchObject({
      code: 'E_DATA_CLASSES',
      message: expect.stringMatching(/4097 different labels/),
    });
  });

  it.each<[string, string, RegExp, Parameters<typeof folderOf>[0]]>([
    [
      'E_DATA_CLASSES',
      'a test label that is partly unknown',
      /label 255, .* for 1 of its 2/,
      { train: bytes(0, 1), test: bytes(0, 255) },
    ],
    ['E_DATA_CLASSES', 'a test label that no training label is', /label 4/, { train: bytes(3, 8), test: bytes(3, 4) }],
    ['E_DATA_CLASSES', 'a label below -1', /label -7/, { train: ints([2], [0, -7]) }],
    ['E_DATA_COUNT', 'a label file that ends early', /2 labels for the 3 images/, { train: bytes(0, 1), count: 3 }],
    [
      'E_DATA_SHAPE',
      'a table that is not of QMNIST',
      /2 dimensions \(2 x 3\)/,
      { train: ints([2, 3], [0, 0, 0, 1, 1, 1]) },
    ],
  ])('are refused with %s for %s', async (code, _, message, given) => {
    expect(await refusalOf(given)).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('files of a folder', () => {
  const given = { train: bytes(0, 1, 0), test: bytes(1, 0) };

  it.each<[string, (name: string) => string]>([
    ['in folders of their names (case 13)', (name) => `${name}/${name}`],
    ['in folders of their names, spelled with a dot (case 13)', (name) => `${name}/${name.replace('-idx', '.idx')}`],
    ['with other words before their names', (name) => `letters-${name.replace('t10k', 'test')}.gz`],
    ['in a folder, as archives unpack to', (name) => `MNIST/raw/${name}`],
    [
      "with QMNIST's names",
      (name) => `qmnist-${name.replace('t10k', 'test').replace('labels-idx1-ubyte', 'labels-idx1-int')}`,
    ],
    ['in upper case', (name) => name.toUpperCase()],
  ])('are found %s', async (_, spell) => {
    const plain = await load(given);
    const spelled = await load(given, spell);
    expect(spelled).toEqual({ ...plain, name: spelled.name });
  });

  it('are found beside folders of their names (case 13)', async () => {
    const folder = await folderOf(given, (name) => name.replace('-idx', '.idx'));
    for (const set of ['train', 't10k']) {
      for (const name of Object.values(NAMES)) await mkdir(join(folder, `${set}-${name}`));
    }
    const spelled = await loadDataset({ data: folder });
    const plain = await load(given);
    expect(spelled).toEqual({ ...plain, name: spelled.name });
  });

  it('of several data sets are refused, unless one has the plain names', async () => {
    const folder = await folderOf(given, (name) => `emnist-letters-${name}`);
    const images = { shape: [1, 2, 2], values: new Uint8Array(4) };
    await writeIdx(join(folder, 'emnist-digits-train-images-idx3-ubyte'), images.shape, images.values);
    expect(await failureOf(loadDataset({ data: folder }), root)).toMatchObject({
      code: 'E_DATA_AMBIGUOUS',
      message: expect.stringContaining('emnist-digits-, emnist-letters-'),
    });
    await writeIdx(join(folder, 'train-images-idx3-ubyte'), images.shape, images.values);
    expect((await loadDataset({ data: folder })).train.count).toBe(1);
  });

  it('of EMNIST are turned upright, and its mapping names the classes', async () => {
    const spell = (name: string): string => `gzip/emnist-letters-${name.replace('t10k', 'test')}.gz`;
    const folder = await folderOf({ train: bytes(1, 26, 255) }, spell);
    await writeFile(join(folder, 'gzip', 'emnist-letters-mapping.txt'), '1 65 97\n2 66 98\r\n26 90 122\n');
    const dataset = await loadDataset({ data: folder });
    expect(dataset.classNames).toEqual(['Aa', 'Zz']);
    expect(namesOf(dataset.train, dataset)).toEqual(['Aa', 'Zz', undefined]);
    expect([...dataset.train.images.at(1)]).toEqual([4, 6, 5, 7]);
    expect(dataset.notes).toEqual([expect.stringMatching(/upright/), expect.stringMatching(/Bb/)]);
  });

  it('of KMNIST have the characters of its class map as names', async () => {
    const folder = await folderOf({ train: bytes(1, 0) });
    const path = join(folder, 'kmnist_classmap.csv');
    await writeFile(path, 'index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n');
    expect((await loadDataset({ data: folder })).classNames).toEqual(['お', 'き']);
    await writeFile(path, 'index,codepoint,char\n0,U+304A,お\n');
    expect(await failureOf(loadDataset({ data: folder }), path)).toMatchObject({ code: 'E_DATA_CLASSES' });
    await writeFile(path, 'nonsense\n1\n');
    expect(await failureOf(loadDataset({ data: folder }), path)).toMatchObject({ code: 'E_DATA_CLASSES' });
  });

  it('may have three colours', async () => {
    const folder = await folderOf({ train: bytes(0, 1) });
    const values = new Uint8Array(24).map((_, i) => i);
    await writeIdx(join(folder, `train-${NAMES.images}`), [2, 2, 2, 3], values);
    const dataset = await loadDataset({ data: folder });
    expect(dataset).toMatchObject({ height: 2, width: 2, channels: 3 });
    expect([...dataset.train.images.at(1)]).toEqual([...values.subarray(12)]);
  });

  it('in several folders are refused', async () => {
    const folder = await folderOf(given, (name) => `a/${name}`);
    await mkdir(join(folder, 'b'));
    await writeIdx(join(folder, 'b', `train-${NAMES.images}`), [1, 2, 2], new Uint8Array(4));
    expect(await failureOf(loadDataset({ data: folder }), root)).toMatchObject({ code: 'E_DATA_AMBIGUOUS' });
  });

  it('are looked for in a folder that is there', async () => {
    const error = await failureOf(loadDataset({ data: join(root, 'absent') }), root);
    expect(error).toMatchObject({
      code: 'E_DATA_MISSING',
      message: expect.stringContaining('cannot be read'),
    });
  });

  it.each<[number[], RegExp]>([
    [[3, 4], /3 x rows x columns, or 3 x 1 x 4/],
    [[3, 2, 2, 4], /grey: 3 x 2 x 2/],
    [[36], /another one/],
  ])('are refused where images have %j for dimensions, with a way out', async (shape, fix) => {
    const folder = await folderOf(given);
    const size = shape.reduce((a, b) => a * b);
    await writeIdx(join(folder, 'train-images-idx3-ubyte'), shape, new Uint8Array(size));
    expect(await failureOf(loadDataset({ data: folder }), root)).toMatchObject({
      code: 'E_DATA_SHAPE',
      fix: expect.stringMatching(fix),
    });
  });
});

describe('relabelled', () => {
  it('gives each label the position of its name in the other list, or says which name is missing (case 4)', () => {
    const names = fc.uniqueArray(fc.constantFrom<string>('0', '1', '3', '8', 'cat', 'dog'), { minLength: 1 });
    fc.assert(
      fc.property(names, names, fc.array(fc.nat(6)), (from, to, given) => {
        const labels = Uint16Array.from(given, (label) => (label < from.length ? label : UNKNOWN));
        const nameOf = (label: number, list: readonly string[]) => (label === UNKNOWN ? undefined : list[label]);
        const result = relabelled(labels, from, to);
        const wanted = Array.from(labels, (label) => nameOf(label, from));
        const missing = wanted.find((name) => name !== undefined && !to.includes(name));
        expect(result.missing).toBe(missing);
        expect(Array.from(result.labels, (label) => nameOf(label, to))).toEqual(
          wanted.map((name) => (name !== undefined && to.includes(name) ? name : undefined)),
        );
      }),
    );
  });
});
