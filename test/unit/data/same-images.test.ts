// Tests that the same images and labels are the same data set, bit by bit, in any format: the first images of MNIST as
// IDX, NumPy arrays, Parquet and arrays.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { datasetFromArrays } from '../../../src/data/arrays.js';
import type { Dataset } from '../../../src/data/dataset.js';
import { ImageStore } from '../../../src/data/image-store.js';
import { type Decoder, loadDataset } from '../../../src/data/load.js';
import { decodePicture } from '../../../src/data/pictures/decode.js';
import type { FoundSet } from '../../../src/data/source.js';
import { folderOfFile } from '../../folders.js';
import { pngOf } from '../../pictures.js';
import { writeIdx } from '../../write-idx.js';
import { bytesOf, npyBytes, writeNpz } from '../../write-npy.js';
import { features, numberColumn, pictureColumn, writeParquet } from '../../write-parquet.js';

const root = folderOfFile('same-images');
const [TRAIN, TEST] = [1500, 200];

interface Part {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** Returns the first images of MNIST, every third without a label, and test images with all labels. */
async function parts(): Promise<{ readonly train: Part; readonly test: Part }> {
  const mnist = await loadDataset();
  const partOf = ({ images, labels }: Dataset['train'], count: number, hides: boolean): Part => ({
    images: Buffer.concat([...images.views(0, count)]),
    labels: Uint8Array.from(labels.subarray(0, count), (label, i) => (hides && i % 3 === 0 ? 255 : label)),
  });
  return { train: partOf(mnist.train, TRAIN, true), test: partOf(mnist.test!, TEST, false) };
}

/** Decodes images in this thread. */
const DECODER: Decoder = {
  decode: async (sets) => ({ notes: [], sets: await Promise.all(sets.map(decoded)) }),
};

async function decoded(set: FoundSet) {
  const { images, count } = set;
  if (images.kind !== 'encoded') return expect.fail('they are encoded');
  const store = ImageStore.allocate(count, 784);
  for (let i = 0; i < count; i++) {
    const picture = await images.picture(i);
    if (typeof picture === 'string') return expect.fail('it is a path');
    store.at(i).set((await decodePicture(picture, undefined)).pixels);
  }
  return { ...set, images: { kind: 'plain', height: 28, width: 28, channels: 1, store } as const };
}

const known = (labels: Uint8Array): number[] => Array.from(labels, (label) => (label === 255 ? -1 : label));

const { train, test } = await parts();
const WRITERS: Readonly<Record<string, (path: string) => Promise<Dataset>>> = {
  idx: async (path) => {
    await mkdir(path);
    for (const [name, { images, labels }] of Object.entries({ train, t10k: test })) {
      await writeIdx(join(path, `${name}-images-idx3-ubyte.gz`), [labels.length, 28, 28], images);
      await writeIdx(join(path, `${name}-labels-idx1-ubyte.gz`), [labels.length], labels);
    }
    return loadDataset({ data: path });
  },
  npz: async (path) => {
    const images = (part: Part): Buffer => npyBytes('|u1', [part.labels.length, 28, 28], part.images);
    const labels = (part: Part): Buffer =>
      npyBytes('<i4', [part.labels.length], bytesOf(Int32Array.from(known(part.labels))));
    const arrays = { x_train: images(train), y_train: labels(train), x_test: images(test), y_test: labels(test) };
    await writeNpz(`${path}.npz`, arrays, true);
    return loadDataset({ data: `${path}.npz` });
  },
  'npz of floats': async (path) => {
    const images = ({ labels, images }: Part): Buffer =>
      npyBytes('<f4', [labels.length, 28, 28], bytesOf(Float32Array.from(images, (value) => value / 255)));
    const labels = (part: Part): Buffer =>
      npyBytes('<f8', [part.labels.length], bytesOf(Float64Array.from(known(part.labels))));
    await writeNpz(`${path}.npz`, {
      x_train: images(train),
      y_train: labels(train),
      x_test: images(test),
      y_test: labels(test),
    });
    return loadDataset({ data: `${path}.npz` });
  },
  parquet: async (path) => {
    await mkdir(path);
    const names = features({ image: { _type: 'Image' }, label: { _type: 'ClassLabel', names: [...'0123456789'] } });
    for (const [name, { images, labels }] of Object.entries({ train, test })) {
      const pngs = Array.from(labels, (_, i) =>
        pngOf({ height: 28, width: 28, channels: 1, pixels: images.subarray(784 * i, 784 * i + 784) }),
      );
      const columns = [pictureColumn(await Promise.all(pngs)), numberColumn(known(labels))];
      await writeParquet(join(path, `${name}-00000-of-00001.parquet`), columns, names, 100);
    }
    return loadDataset({ data: path }, { decoder: DECODER });
  },
  'labels of a CSV': async (path) => {
    await writeNpz(`${path}.npz`, {
      x_train: npyBytes('|u1', [TRAIN, 28, 28], train.images),
      x_test: npyBytes('|u1', [TEST, 28, 28], test.images),
      y_test: npyBytes('|u1', [TEST], test.labels),
    });
    const lines = known(train.labels).flatMap((label, i) => (label < 0 ? [] : [`${i},${label}`]));
    await writeFile(`${path}.csv`, lines.join('\n'));
    return loadDataset({ data: `${path}.npz`, labels: `${path}.csv` });
  },
  arrays: async () => {
    const { images, labels } = train;
    const tested = { images: test.images, labels: test.labels };
    return datasetFromArrays({ height: 28, width: 28, images, labels: known(labels), test: tested });
  },
};

describe('the same images', () => {
  it.each(Object.keys(WRITERS).filter((name) => name !== 'idx'))(
    'are the same data set as %s as in IDX files',
    async (name) => {
      const asIdx = await WRITERS.idx!(join(root, `idx-${name}`));
      const other = await WRITERS[name]!(join(root, name));
      expect(other).toMatchObject({
        sha256: asIdx.sha256,
        classNames: [...'0123456789'],
        train: { count: TRAIN },
        test: { count: TEST },
      });
      expect(other.train.labels).toEqual(asIdx.train.labels);
      expect(other.test!.labels).toEqual(asIdx.test!.labels);
    },
  );
});
