// Tests CIFAR in its binary version, as its archives unpack, and damaged files.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNKNOWN } from '../../../src/data/dataset.js';
import { folderLister } from '../../../src/data/listing.js';
import { loadDataset } from '../../../src/data/load.js';
import { CIFAR } from '../../../src/data/sources/cifar.js';
import { PseudolabelError } from '../../../src/errors.js';
import { failureOf } from '../../failure.js';
import { folderOfFile } from '../../folders.js';

const root = folderOfFile('cifar');

/** Makes records of labels and three planes. The first pixels are (n, n + 1, n + 2). */
const records = (...labels: number[][]): Buffer =>
  Buffer.concat(
    labels.map((of, n) => {
      const planes = Buffer.alloc(3072);
      for (let channel = 0; channel < 3; channel++) planes[1024 * channel] = n + channel;
      return Buffer.concat([Buffer.from(of), planes]);
    }),
  );

let folders = 0;
async function folderOf(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const folder = join(root, `${folders++}`);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

describe('CIFAR', () => {
  it('10 has its files one behind the other, names and a test set, in the folder that it unpacks to', async () => {
    const folder = 'cifar-10-batches-bin';
    const data = await folderOf({
      [`${folder}/data_batch_1.bin`]: records([3], [0]),
      [`${folder}/data_batch_2.bin.gz`]: gzipSync(records([3], [255])),
      [`${folder}/test_batch.bin`]: records([0], [0]),
      [`${folder}/batches.meta.txt`]: 'airplane\nautomobile\nbird\ncat\n\n',
    });
    const dataset = await loadDataset({ data });
    expect(dataset).toMatchObject({ height: 32, width: 32, channels: 3, classNames: ['airplane', 'cat'] });
    expect([...dataset.train.labels]).toEqual([1, 0, 1, UNKNOWN]);
    expect([...dataset.train.images.at(1).subarray(0, 6)]).toEqual([1, 2, 3, 0, 0, 0]);
    expect([...dataset.test!.labels]).toEqual([0, 0]);
    expect(dataset.notes).toContainEqual(expect.stringMatching(/2 of the 5 training files/));
  });

  it('100 has its fine labels', async () => {
    const data = await folderOf({ 'train.bin': records([9, 99], [8, 1]), 'test.bin': records([9, 1]) });
    expect((await loadDataset({ data })).classNames).toEqual(['1', '99']);
  });

  it('in the Python version is refused, since it is pickled', async () => {
    for (const name of ['cifar-10-batches-py/data_batch_1', 'cifar-100-python/train']) {
      const error = await failureOf(loadDataset({ data: await folderOf({ [name]: 'x' }) }), root);
      expect(error).toMatchObject({ code: 'E_DATA_FORMAT', fix: expect.stringMatching(/binary version/) });
    }
  });

  it('is not what folders of its names have', async () => {
    const names = ['train', 'test', 'meta'].map((name) => `${name}/x.bin`);
    const data = await folderOf(Object.fromEntries(names.map((name) => [name, 'x'])));
    expect(await CIFAR.recognises(data, folderLister())).toBe(false);
  });

  it.each<[string, string, Buffer]>([
    ['E_DATA_TRUNCATED', 'data_batch_1.bin', records([1], [2]).subarray(0, -1)],
    ['E_DATA_TRUNCATED', 'data_batch_1.bin', Buffer.alloc(0)],
    ['E_DATA_CLASSES', 'data_batch_1.bin', records([10])],
    ['E_DATA_CHECKSUM', 'data_batch_1.bin.gz', gzipSync(records([1])).subarray(0, -4)],
    ['E_DATA_CHECKSUM', 'data_batch_1.bin.gz', gzipSync(Buffer.alloc(2 ** 28 + 1))],
  ])('that is damaged is refused with %s', async (code, name, bytes) => {
    expect(await failureOf(loadDataset({ data: await folderOf({ [name]: bytes }) }), root)).toMatchObject({ code });
  });

  it('gives images or an error of ours where any byte is another', async () => {
    const whole = gzipSync(records([1], [2], [3]));
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= mask;
        const found = await loadDataset({ data: await folderOf({ 'data_batch_1.bin.gz': bytes }) }).catch(
          (error: unknown) => error,
        );
        if (!(found instanceof PseudolabelError)) expect(found).toMatchObject({ train: { count: 3 } });
      }),
      { numRuns: 100 },
    );
  });
});
