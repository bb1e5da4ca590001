// Tests how threads decode images: they become one set of one size, the cache is used, images that cannot be decoded
// are named, and nothing is half done.
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Dataset } from '../../src/data/dataset.js';
import { loadDataset } from '../../src/data/load.js';
import type { DataOptions } from '../../src/data/options.js';
import { packedBytes } from '../../src/data/packed.js';
import { proposedOf } from '../../worker/decode-sets.js';
import { ThreadedDecoder } from '../../worker/decoder.js';
import { folderOfTest } from '../folders.js';
import { colourPicture, greyPicture, pngOf, sharpOf, writeFiles } from '../pictures.js';

let data: string;
let cache: string;
beforeEach(() => {
  data = folderOfTest('pictures');
  cache = folderOfTest('cache');
});

/** Returns the data set of the folder, and the number of images that were decoded for it. */
async function load(options: DataOptions = {}): Promise<{ dataset: Dataset; decoded: number }> {
  let decoded = 0;
  const progress = (_: number, of: number): void => {
    decoded = of;
  };
  const decoder = new ThreadedDecoder({ threads: 2, progress });
  return { dataset: await loadDataset({ data, cache, ...options }, { decoder }), decoded };
}

const pixelsOf = ({ train, pixels }: Dataset): number[][] =>
  Array.from({ length: train.count }, (_, i) => Array.from(train.images.at(i)).slice(0, pixels));

describe('pictures', () => {
  it('become one set in the order of their names, with their classes and their test set', async () => {
    const files: Record<string, Buffer> = {};
    for (let i = 0; i < 300; i++) files[`train/${'ab'[i % 2]}/${i}.png`] = await pngOf(greyPicture(4, 6, i));
    files['test/b/0.png'] = await pngOf(greyPicture(4, 6, 9));
    await writeFiles(data, files);
    const { dataset } = await load();
    expect(dataset).toMatchObject({ height: 4, width: 6, channels: 1, classNames: ['a', 'b'], notes: [] });
    expect(pixelsOf(dataset)).toEqual(Array.from({ length: 300 }, (_, i) => Array.from(greyPicture(4, 6, i).pixels)));
    expect(Array.from(dataset.train.labels)).toEqual(Array.from({ length: 300 }, (_, i) => i % 2));
    expect(dataset.train.ids?.slice(0, 2)).toEqual(['train/a/0.png', 'train/b/1.png']);
    expect(dataset.test).toMatchObject({ count: 1, ids: ['test/b/0.png'] });
  });

  it('are all in colour where the last one is', async () => {
    const grey = await pngOf(greyPicture());
    const files = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`${i}.png`, grey]));
    await writeFiles(data, { ...files, '400.png': await pngOf(colourPicture()), 'labels.csv': '0.png,a\n1.png,b\n' });
    const { dataset } = await load();
    expect(dataset).toMatchObject({ channels: 3, notes: [expect.stringMatching(/^400 grey pictures/)] });
    expect(pixelsOf(dataset)[0]?.slice(0, 6)).toEqual([0, 0, 0, 7, 7, 7]);
    expect(pixelsOf(dataset)[400]).toEqual(Array.from(colourPicture().pixels));
  });

  it('of more pixels than there is memory for are refused before any is decoded, with what would do', async () => {
    const picture = await pngOf(greyPicture(100, 100));
    const free = vi.spyOn(process, 'availableMemory').mockReturnValue(2 * 100 * 100 - 1);
    await writeFiles(data, Object.fromEntries(['a/1.jpg', 'b/2.jpg'].map((name) => [name, picture])));
    try {
      await expect(load()).rejects.toMatchObject({ code: 'E_MEMORY', fix: expect.stringContaining('--size') });
    } finally {
      free.mockRestore();
    }
  });

  it('of different sizes are refused with a size that would do, and resized to the one that is said', async () => {
    const jpeg = await sharpOf(colourPicture(200, 300)).jpeg().toBuffer();
    await writeFiles(data, { 'a/1.png': await pngOf(greyPicture()), 'b/2.jpg': jpeg, 'b/3.jpg': jpeg });
    await expect(load()).rejects.toMatchObject({
      code: 'E_DATA_SHAPE',
      message: expect.stringContaining('b/2.jpg is 200x300, others are 4x6'),
      fix: expect.stringContaining('--size 43x64'),
    });
    const { dataset } = await load({ size: '10x12' });
    expect(dataset).toMatchObject({ height: 10, width: 12, channels: 3 });
    expect(dataset.notes?.[0]).toContain('resized to 10x12');
  });

  it('that cannot be decoded are named and counted, and left out with their labels where that is asked for', async () => {
    const good = await pngOf(greyPicture());
    await writeFiles(data, { 'a/1.png': 'nothing', 'a/2.png': good, 'b/3.png': good.subarray(0, 60), 'b/4.png': good });
    await expect(load()).rejects.toMatchObject({
      code: 'E_DATA_IMAGE',
      message: expect.stringMatching(/2 of 4 pictures .*a\/1\.png \(it is no PNG.*b\/3\.png/),
      fix: expect.stringContaining('--skip-bad'),
    });
    for (const decoded of [4, 0]) {
      const skipped = await load({ skipBad: true });
      expect(skipped.decoded).toBe(decoded);
      expect(skipped.dataset.train).toMatchObject({ count: 2, ids: ['a/2.png', 'b/4.png'] });
      expect(Array.from(skipped.dataset.train.labels)).toEqual([0, 1]);
      expect(pixelsOf(skipped.dataset)[1]).toEqual(Array.from(greyPicture().pixels));
      expect(skipped.dataset.notes?.[0]).toContain('left out: 2 pictures that cannot be decoded');
    }
    await writeFiles(data, { 'a/2.png': '', 'b/4.png': '' });
    await expect(load({ skipBad: true })).rejects.toMatchObject({ code: 'E_DATA_IMAGE' });
  });

  it('that declare more pixels than are read end no thread', async () => {
    const bomb = await sharpOf(colourPicture()).png().toBuffer();
    bomb.writeUInt32BE(50_000, 16);
    bomb.writeUInt32BE(50_000, 20);
    await writeFiles(data, { 'a/1.png': await pngOf(greyPicture()), 'b/2.png': bomb });
    await expect(load()).rejects.toMatchObject({ code: 'E_DATA_IMAGE', message: expect.stringContaining('b/2.png') });
  });
});

describe('the cache', () => {
  beforeEach(async () =>
    writeFiles(data, { 'a/1.png': await pngOf(greyPicture()), 'b/2.png': await pngOf(greyPicture(4, 6, 5)) }),
  );

  it('spares decoding until a picture, the size or what is left out changes', async () => {
    const first = await load();
    const second = await load();
    expect([first.decoded, second.decoded]).toEqual([2, 0]);
    expect(second.dataset.sha256).toBe(first.dataset.sha256);
    expect((await load({ size: '5x5' })).decoded).toBe(2);
    expect((await load({ size: '5x5' })).decoded).toBe(0);
    await utimes(join(data, 'a/1.png'), 1, 1);
    expect((await load()).decoded).toBe(2);
  });

  it('that is damaged anywhere is made again, with a note', async () => {
    const { dataset } = await load();
    const [name] = await readdir(cache);
    const path = join(cache, name!);
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 41) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x10;
      await writeFile(path, damaged);
      const again = await load();
      expect(again.decoded, `byte ${at}`).toBe(2);
      expect(again.dataset.sha256).toBe(dataset.sha256);
      expect(again.dataset.notes?.[0]).toContain('decoded again');
      expect(await readFile(path)).toEqual(whole);
    }
    await writeFile(path, whole.subarray(0, 100));
    expect((await load()).decoded).toBe(2);
  });

  it('that cannot be written is a note, not an error', async () => {
    const { dataset } = await load({ cache: join(data, 'a/1.png') });
    expect(dataset.notes?.[0]).toContain('not kept');
    expect(dataset.train.count).toBe(2);
  });

  it('is left without a trace of a start that was interrupted, which says what the signal says', async () => {
    const controller = new AbortController();
    const progress = (): void => controller.abort(new Error('stopped'));
    const decoder = new ThreadedDecoder({ threads: 1, progress, signal: controller.signal });
    await expect(loadDataset({ data, cache }, { decoder })).rejects.toThrow('stopped');
    expect(await readdir(cache)).toEqual([]);
  });
});

describe('a packed file', () => {
  it('is the same data set as what was packed, from its name on: its images, labels, names, ids and test set', async () => {
    const png = await pngOf(colourPicture());
    await writeFiles(data, {
      'train/b/1.png': png,
      'train/a/2.png': png,
      'unlabelled/x.png': png,
      'test/a/3.png': png,
    });
    const { dataset } = await load();
    const path = join(cache, 'my.pack');
    const { name, height, width, channels, classNames, train, test } = dataset;
    const sets = [train, test!].map(({ images, labels, ids }) => ({ store: images, labels, ids }));
    await writeFile(
      path,
      Buffer.concat([...packedBytes({ name, height, width, channels, classNames, notes: [], sets })]),
    );
    const packed = await load({ data: path });
    expect(packed.decoded).toBe(0);
    const { sha256, train: trained, test: tested } = packed.dataset;
    expect([sha256, packed.dataset.classNames]).toEqual([dataset.sha256, ['a', 'b']]);
    expect([trained.ids, tested?.ids]).toEqual([train.ids, test?.ids]);
    await writeFile(path, (await readFile(path)).subarray(0, (await stat(path)).size - 1));
    await expect(load({ data: path })).rejects.toMatchObject({ code: 'E_DATA_CHECKSUM' });
  });
});

it('the size that is proposed is the commonest small one, else the usual one made small', () => {
  expect(proposedOf({ '32x32': 60, '40x50': 40 })).toEqual({ height: 32, width: 32 });
  expect(proposedOf({ '10x20': 1, '30x30': 1, '50x90': 1 })).toEqual({ height: 30, width: 30 });
  expect(proposedOf({ '480x640': 9, '32x32': 2 })).toEqual({ height: 48, width: 64 });
});
