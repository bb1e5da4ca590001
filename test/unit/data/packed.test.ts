// Tests the file of decoded images: it is read back as it was written, and refused if anything in it is wrong.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { UNKNOWN } from '../../../src/data/dataset.js';
import { ImageStore } from '../../../src/data/image-store.js';
import { folderLister } from '../../../src/data/listing.js';
import { isPacked, type Packed, packedBytes, readPacked } from '../../../src/data/packed.js';
import { PACK } from '../../../src/data/sources/pack.js';
import { folderOfTest } from '../../folders.js';

let path: string;
beforeEach(() => {
  path = join(folderOfTest('packed'), 'my.pack');
});

const PACKED: Packed = {
  name: 'mine',
  height: 2,
  width: 3,
  channels: 1,
  classNames: ['a', 'ö'],
  notes: ['of two kinds'],
  sets: [
    {
      store: ImageStore.from(
        Uint8Array.from({ length: 18 }, (_, i) => 10 * i),
        6,
      ),
      labels: Uint16Array.from([1, UNKNOWN, 0]),
      ids: ['a/1.png', 'x/"2".png', 'ö/3.png'],
    },
    { store: ImageStore.from(new Uint8Array(6).fill(7), 6), labels: undefined, ids: undefined },
  ],
};
const bytes = Buffer.concat([...packedBytes(PACKED)]);

describe('a packed file', () => {
  it('is read back as it was written', async () => {
    await writeFile(path, bytes);
    expect(await isPacked(path)).toBe(true);
    const { sets, ...header } = await readPacked(path);
    expect(header).toEqual({ ...PACKED, sets: undefined });
    for (const [s, { store, labels, ids }] of sets.entries()) {
      expect([labels, ids]).toEqual([PACKED.sets[s]!.labels, PACKED.sets[s]!.ids]);
      expect(Array.from(store.views(), (view) => Array.from(view))).toEqual(
        Array.from(PACKED.sets[s]!.store.views(), (view) => Array.from(view)),
      );
    }
    const collection = await PACK.open(path, { unlabelled: 'unlabelled', followLinks: false, list: folderLister() });
    expect(collection.train.labels).toEqual([1, undefined, 0]);
  });

  it('that is cut short, goes on, or has any bit of it changed is refused', async () => {
    for (let length = 0; length < bytes.length; length += 3) {
      await writeFile(path, bytes.subarray(0, length));
      await expect(readPacked(path), `${length} bytes`).rejects.toThrow(/damaged|not a file/);
    }
    await writeFile(path, Buffer.concat([bytes, Buffer.alloc(1)]));
    await expect(readPacked(path)).rejects.toThrow('damaged');
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 << bit;
        await writeFile(path, changed);
        await expect(readPacked(path)).rejects.toThrow(/damaged|not a file/);
      }),
    );
  });

  it('that declares more than it has takes no memory', async () => {
    const header = Buffer.from(
      JSON.stringify({
        ...PACKED,
        height: 65_536,
        width: 65_536,
        sets: [{ count: 2 ** 32, hasLabels: true, idsBytes: 0, sha256: 'ab'.repeat(32) }],
      }),
    );
    const start = Buffer.from(bytes.subarray(0, 20));
    start.writeUInt32LE(header.length, 16);
    await writeFile(path, Buffer.concat([start, header, Buffer.alloc(64)]));
    await expect(readPacked(path)).rejects.toThrow('is damaged: it has');
  });
});
