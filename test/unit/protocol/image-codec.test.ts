// Tests images on the network: they arrive unchanged, in frames that fit, and what does not belong to them is not
// written and takes no memory.
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Images } from '../../../src/data/images.js';
import { ImageEncoder, imagePieces, writeImages } from '../../../src/protocol/image-codec.js';
import { MAX_BULK } from '../../../src/protocol/limits.js';
import { keyOf, Stream } from '../../../src/random.js';
import { imagesOf, storeOf } from '../../images.js';

const random = new Stream(keyOf(1, 'split', 9));
const noise = (length: number) => Uint8Array.from({ length }, () => random.below(256));
const flat = (length: number) => Uint8Array.from({ length }, (_, i) => i >> 9);

describe('the frames of images', () => {
  it('cover all of them once, in order, each whole images or a part of one', () => {
    const sizes = fc.record({
      start: fc.nat(50),
      images: fc.nat(50),
      pixels: fc.integer({ min: 1, max: 40 }),
      most: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(sizes, ({ start, images, pixels, most }) => {
        let at = start * pixels;
        for (const { first, offset, bytes } of imagePieces(start, start + images, pixels, most)) {
          expect(first * pixels + offset).toBe(at);
          expect(bytes).toBeLessThanOrEqual(most);
          expect(bytes % pixels === 0 || offset + bytes <= pixels).toBe(true);
          at += bytes;
        }
        expect(at).toBe((start + images) * pixels);
      }),
    );
  });

  it.each([
    ['noise', 784, 3000, noise],
    ['flat', 784, 3000, flat],
    ['noise, longer than a frame', MAX_BULK + 5, 2, noise],
    ['flat, longer than a frame', MAX_BULK + 5, 2, flat],
  ])('bring images of %s to the other end', async (_, pixels, count, make) => {
    const bytes = make(pixels * count);
    const here = imagesOf(storeOf(bytes, pixels, 100 * pixels));
    const there = Images.room(count, pixels);
    const encoder = new ImageEncoder();
    let sent = 0;
    for (const piece of imagePieces(1, count, pixels, MAX_BULK)) {
      const { tag, payload } = await encoder.encode(here, piece);
      expect(writeImages(tag, payload, there)).toBe(true);
      sent += payload.length;
    }
    expect(Buffer.compare(there.copy(1, count), bytes.subarray(pixels))).toBe(0);
    expect(there.at(0).every((byte) => byte === 0)).toBe(true);
    if (make === noise) expect(sent).toBe(pixels * (count - 1));
    else expect(sent).toBeLessThan(bytes.length / 10);
  });

  it('that do not fit are not written: beyond the images, longer than said, not deflated, or none', () => {
    const there = Images.room(10, 4);
    const good = { index: 2, offset: 0, step: 8 };
    const eight = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    for (const [tag, payload] of [
      [{ ...good, index: 9 }, eight],
      [{ ...good, step: 7 }, eight],
      [{ ...good, step: 0 }, new Uint8Array()],
      [{ ...good, step: 6 }, eight.subarray(0, 6)],
      [{ ...good, offset: 1, step: 4 }, eight.subarray(0, 4)],
      [{ ...good, step: 12 }, eight],
      [{ ...good, step: 12 }, deflateRawSync(new Uint8Array(16))],
      [{ ...good, step: 12 }, deflateRawSync(new Uint8Array(8))],
      [{ ...good, step: 2 ** 31 }, eight],
    ] as const)
      expect(writeImages(tag, payload, there), JSON.stringify(tag)).toBe(false);
    expect(there.copy(0, 10).every((byte) => byte === 0)).toBe(true);
    expect(writeImages(good, eight, there)).toBe(true);
    expect(there.copy(2, 4)).toEqual(eight);
  });

  it('that would inflate to gigabytes take no more memory than they said', () => {
    const there = Images.room(2 ** 12, 256);
    const bomb = deflateRawSync(new Uint8Array(2 ** 28));
    const before = process.memoryUsage().arrayBuffers;
    expect(writeImages({ index: 0, offset: 0, step: MAX_BULK }, bomb, there)).toBe(false);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  it('of any tag and payload do not throw', () => {
    const anything = fc.record({ index: fc.nat(12), offset: fc.nat(5), step: fc.nat(50) });
    fc.assert(
      fc.property(anything, fc.uint8Array({ maxLength: 50 }), fc.boolean(), (tag, bytes, isDeflated) => {
        const payload = isDeflated ? deflateRawSync(bytes) : bytes;
        expect(typeof writeImages(tag, payload, Images.room(10, 4))).toBe('boolean');
      }),
    );
  });
});
