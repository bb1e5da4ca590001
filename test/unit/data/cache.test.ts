// Tests the cache of decoded images: it keeps up to a number of bytes, and the last used images first.
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { cachePath, fromCache, toCache } from '../../../src/data/cache.js';
import { ImageStore } from '../../../src/data/image-store.js';
import type { Packed } from '../../../src/data/packed.js';
import { folderOfTest } from '../../folders.js';

const header = { name: '', height: 10, width: 100, channels: 1, classNames: [], notes: [] };
const packed: Packed = {
  ...header,
  sets: [{ store: ImageStore.allocate(1, 1000), labels: undefined, ids: undefined }],
};

it('what was not used for the longest time goes where there is too much, and nothing that is not ours', async () => {
  const folder = folderOfTest('cache');
  await writeFile(join(folder, 'notes.images'), 'mine');
  const [first, second, third] = [1, 2, 3].map((part) => cachePath(folder, [part])) as [string, string, string];
  await toCache(first, packed, undefined);
  await toCache(second, packed, undefined);
  await utimes(first, 1, 1);
  await utimes(second, 2, 2);
  expect((await fromCache(first)).packed?.sets[0]?.store.count).toBe(1); // now it was used last
  await toCache(third, packed, undefined, 3000);
  expect(new Set(await readdir(folder))).toEqual(new Set(['notes.images', basename(first), basename(third)]));
});
