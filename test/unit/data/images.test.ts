// Tests images in the order of steps: they are the same in any stores and blocks, and in every thread.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageStore } from '../../../src/data/image-store.js';
import { Images, sharedRows } from '../../../src/data/images.js';
import { PseudolabelError } from '../../../src/errors.js';
import { storeOf } from '../../images.js';

const sets = fc
  .record({
    pixels: fc.integer({ min: 1, max: 9 }),
    blockBytes: fc.integer({ min: 1, max: 40 }),
    bytes: fc.uint8Array({ minLength: 9, maxLength: 200 }),
    order: fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
  })
  .map(({ pixels, blockBytes, bytes, order }) => {
    const whole = bytes.subarray(0, bytes.length - (bytes.length % pixels));
    const store = storeOf(whole, pixels, blockBytes);
    const rows = Uint32Array.from(order, (each) => each % store.count);
    const imageAt = (image: number) => [...whole.subarray(image * pixels, (image + 1) * pixels)];
    const images = new Images(pixels, [{ store, rows: sharedRows(rows) }, { store }]);
    const expected = [...rows, ...Array.from({ length: store.count }, (_, image) => image)].map(imageAt);
    return { pixels, blockBytes, store, whole, images, expected };
  });

describe('an image store', () => {
  it('has the SHA-256 of its images, also after others were written', () => {
    const store = ImageStore.allocate(4, 3, 6);
    const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    expect(store.sha256).toBe(sha256Of(new Uint8Array(12)));
    const bytes = Uint8Array.from({ length: 12 }, (_, i) => i);
    store.write(0, bytes);
    expect(store.sha256).toBe(sha256Of(bytes));
  });

  it('has the images that were written, whatever its blocks', () => {
    fc.assert(
      fc.property(sets, ({ pixels, blockBytes, store, whole }) => {
        expect(Buffer.concat([...store.views()])).toEqual(Buffer.from(whole));
        expect(store.blocks).toHaveLength(
          Math.ceil(store.count / Math.min(store.count, Math.max(1, Math.floor(blockBytes / pixels)))),
        );
        const attached = new ImageStore(store.count, pixels, store.blocks);
        expect(attached.gather([...Array(store.count).keys()])).toEqual(whole);
      }),
    );
  });
});

describe('images', () => {
  it('are those of the rows, then those of the next store, one by one, gathered and copied', () => {
    fc.assert(
      fc.property(sets, fc.infiniteStream(fc.nat()), ({ pixels, images, expected }, any) => {
        expect(images.count).toBe(expected.length);
        expect(expected.map((_, position) => [...images.at(position)])).toEqual(expected);
        const positions = [...any.take(10)].map((each) => each % expected.length);
        const to = new Uint8Array(positions.length * pixels);
        images.gather(positions, to);
        expect([...to]).toEqual(positions.flatMap((position) => expected[position]!));
        const [start, end] = [Math.min(...positions), Math.max(...positions)];
        expect([...images.copy(start, end)]).toEqual(expected.slice(start, end).flat());
      }),
    );
  });

  it('are the same memory in another thread', () => {
    fc.assert(
      fc.property(sets, ({ images, expected, store }) => {
        // This is what is sent to a thread: the memory is shared, and objects lose their classes.
        const parts = images.parts.map(({ store: { count, pixels, blocks }, rows }) => {
          return { store: { count, pixels, blocks } as ImageStore, rows };
        });
        const there = Images.revived({ pixels: images.pixels, parts });
        expect(expected.map((_, position) => [...there.at(position)])).toEqual(expected);
        store.at(0).fill(7);
        expect(expected.map((_, position) => [...there.at(position)])).toEqual(
          expected.map((_, position) => [...images.at(position)]),
        );
      }),
    );
  });

  it('take parts of images and whole ones, from any image on', () => {
    fc.assert(
      fc.property(sets, fc.nat(), fc.nat(), ({ pixels, whole, store }, first, cut) => {
        const room = Images.room(store.count, pixels);
        const image = first % store.count;
        const at = image * pixels;
        const middle = cut % pixels;
        room.write(image, middle, whole.subarray(at + middle));
        room.write(image, 0, whole.subarray(at, at + middle));
        expect(room.copy(0, store.count)).toEqual(whole.map((byte, i) => (i < at ? 0 : byte)));
      }),
    );
  });

  it('end where they end', () => {
    expect(() => Images.room(3, 2).at(3)).toThrow(RangeError);
  });

  it('that no memory could hold are refused, with their number', () => {
    const refused = () => ImageStore.allocate(2 ** 40, 2 ** 20, 2 ** 52);
    expect(refused).toThrow(PseudolabelError);
    expect(refused).toThrow(/1099511627776 images/);
  });
});
