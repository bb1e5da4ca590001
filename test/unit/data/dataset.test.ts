// Tests data sets: the packaged MNIST, and small generated ones of other sizes, spellings and faults.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImageStore } from '../../../src/data/image-store.js';
import { loadDataset } from '../../../src/data/load.js';
import { splitLabelled } from '../../../src/data/split.js';
import { PseudolabelError } from '../../../src/errors.js';
import { folderOfFile } from '../../folders.js';
import { writeIdx } from '../../write-idx.js';

const root = folderOfFile('dataset');

type Files = Record<string, { shape: number[]; values: Uint8Array }>;

/** Returns 6 training and 4 test images of 3 x 5 pixels, in 3 classes. */
function sound(): Files {
  return {
    'train-images-idx3-ubyte': { shape: [6, 3, 5], values: new Uint8Array(90).map((_, i) => i) },
    'train-labels-idx1-ubyte': { shape: [6], values: Uint8Array.of(0, 1, 2, 0, 1, 2) },
    't10k-images-idx3-ubyte': { shape: [4, 3, 5], values: new Uint8Array(60).map((_, i) => 255 - i) },
    't10k-labels-idx1-ubyte': { shape: [4], values: Uint8Array.of(2, 1, 0, 1) },
  };
}

let folders = 0;
async function folderOf(files: Files, spell = (name: string) => name): Promise<string> {
  const folder = join(root, `set-${folders++}`);
  await mkdir(folder);
  for (const [name, { shape, values }] of Object.entries(files)) {
    await writeIdx(join(folder, spell(name)), shape, values);
  }
  return folder;
}

async function refusal(files: Files): Promise<PseudolabelError> {
  const folder = await folderOf(files);
  const error: unknown = await loadDataset({ data: folder }).catch((reason: unknown) => reason);
  if (!(error instanceof PseudolabelError)) throw error;
  return error;
}

describe('loadDataset of a folder', () => {
  it('reads images of any size', async () => {
    const files = sound();
    const folder = await folderOf(files);
    const values = (name: string) => files[name]!.values;
    const [trainLabels, testLabels] = ['train', 't10k'].map((set) =>
      Uint16Array.from(values(`${set}-labels-idx1-ubyte`)),
    );
    const sha256 = createHash('sha256');
    const ofImages = (name: string): string => createHash('sha256').update(values(name)).digest('hex');
    sha256.update(ofImages('train-images-idx3-ubyte')).update(trainLabels!);
    sha256.update(ofImages('t10k-images-idx3-ubyte')).update(testLabels!);
    expect(await loadDataset({ data: folder })).toEqual({
      name: folder.slice(root.length + 1),
      height: 3,
      width: 5,
      channels: 1,
      pixels: 15,
      classes: 3,
      classNames: ['0', '1', '2'],
      train: { count: 6, images: ImageStore.from(values('train-images-idx3-ubyte'), 15), labels: trainLabels },
      test: { count: 4, images: ImageStore.from(values('t10k-images-idx3-ubyte'), 15), labels: testLabels },
      notes: [],
      sha256: sha256.digest('hex'),
    });
  });

  it.each([
    ['gzipped', (name: string) => `${name}.gz`],
    ['with a dot before idx', (name: string) => name.replace('-idx', '.idx')],
    ['both', (name: string) => `${name.replace('-idx', '.idx')}.gz`],
    ['the labels gzipped only', (name: string) => (name.includes('labels') ? `${name}.gz` : name)],
  ])('finds the files %s', async (_, spell) => {
    const plain = await loadDataset({ data: await folderOf(sound()) });
    const spelled = await loadDataset({ data: await folderOf(sound(), spell) });
    expect(spelled).toEqual({ ...plain, name: spelled.name });
  });

  it('names the training images when they are not there', async () => {
    const { 'train-images-idx3-ubyte': _, ...others } = sound();
    const error = await refusal(others);
    expect(error.code).toBe('E_DATA_MISSING');
    expect(error.message).toContain('train-images-idx3-ubyte');
    expect(error.fix).toContain('train-images.idx3-ubyte.gz');
  });

  it.each<[string, string, Files]>([
    [
      'E_DATA_COUNT',
      'labels that are fewer than the images',
      {
        'train-labels-idx1-ubyte': { shape: [5], values: Uint8Array.of(0, 1, 2, 0, 1) },
      },
    ],
    [
      'E_DATA_COUNT',
      'test labels that are more than the images',
      {
        't10k-labels-idx1-ubyte': { shape: [5], values: Uint8Array.of(0, 1, 2, 0, 1) },
      },
    ],
    [
      'E_DATA_SHAPE',
      'test images of another size, if of as many pixels',
      {
        't10k-images-idx3-ubyte': { shape: [4, 5, 3], values: new Uint8Array(60) },
      },
    ],
    [
      'E_DATA_SHAPE',
      'labels in the place of images',
      {
        'train-images-idx3-ubyte': { shape: [6], values: new Uint8Array(6) },
      },
    ],
    [
      'E_DATA_SHAPE',
      'images in the place of labels',
      {
        'train-labels-idx1-ubyte': { shape: [6, 1, 1], values: new Uint8Array(6) },
      },
    ],
    [
      'E_DATA_CLASSES',
      'a test label that the training labels do not have',
      {
        't10k-labels-idx1-ubyte': { shape: [4], values: Uint8Array.of(0, 1, 3, 1) },
      },
    ],
    [
      'E_DATA_EMPTY',
      'an empty test set',
      {
        't10k-images-idx3-ubyte': { shape: [0, 3, 5], values: new Uint8Array() },
        't10k-labels-idx1-ubyte': { shape: [0], values: new Uint8Array() },
      },
    ],
  ])('gives %s for %s', async (code, _, fault) => {
    const error = await refusal({ ...sound(), ...fault });
    expect(error.code).toBe(code);
    expect(error.message).toContain(root);
  });
});

describe('loadDataset without a folder', () => {
  it('is MNIST, whose first ten of each class are the labelled set of the report', async () => {
    const mnist = await loadDataset();
    expect(mnist).toMatchObject({ name: 'mnist', height: 28, width: 28, pixels: 784, classes: 10 });
    expect([mnist.train.count, mnist.train.images.count * mnist.pixels, mnist.train.labels.length]).toEqual([
      60000, 47040000, 60000,
    ]);
    const test = mnist.test!;
    expect([test.count, test.images.count * mnist.pixels, test.labels.length]).toEqual([10000, 7840000, 10000]);
    expect([...mnist.train.labels.subarray(0, 12)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5]);

    const { labelled } = splitLabelled(mnist, {
      perClass: 10,
      kind: 'first',
      splitSeed: 0,
      validation: 0,
    });
    expect(labelled).toHaveLength(100);
    expect([...labelled.subarray(0, 10)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(labelled.at(-1)).toBe(173);
  });
});
