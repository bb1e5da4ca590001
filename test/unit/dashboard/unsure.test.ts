// Tests the images that a page shows as the least sure ones: they are the right ones, have their previous class, and do
// not change faster than people can look.
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { Unsure } from '../../../coordinator/dashboard/unsure.js';
import { ImageStore } from '../../../src/data/image-store.js';

const pixels = Uint8Array.from({ length: 6 * 4 }, (_, byte) => byte);
const train = { images: ImageStore.from(pixels, 4), labels: new Uint16Array(6), count: 6, ids: undefined };

function unsureOf() {
  let now = 0;
  const unsure = new Unsure({ train, height: 2, width: 2, channels: 1 } as never, Uint32Array.of(5, 3, 1), () => now);
  const looked = (classes: number[], confidences: number[], positions?: number[]): void => {
    now += 3000;
    const predictions = { classes: Uint16Array.from(classes), confidences: Float32Array.from(confidences) };
    unsure.looked(predictions, positions && Uint32Array.from(positions));
  };
  return { unsure, looked, wait: (milliseconds: number) => (now += milliseconds) };
}

describe('the least sure images', () => {
  it('come first, as pictures of their rows, and say what they were taken for before', () => {
    const { unsure, looked } = unsureOf();
    expect(unsure.since()).toBeUndefined();
    looked([7, 8, 9], [0.9, 0.2, 0.5]);
    expect(unsure.since()!.map(({ name, label, before }) => [name, label, before])).toEqual([
      ['image 3', 8, undefined],
      ['image 1', 9, undefined],
      ['image 5', 7, undefined],
    ]);
    expect([...decode(Buffer.from(unsure.since()![0]!.png, 'base64')).data]).toEqual([12, 13, 14, 15]);
    looked([1, 7], [0.1, 0.3], [2, 0]);
    expect(unsure.since(1)!.map(({ name, label, before }) => [name, label, before])).toEqual([
      ['image 1', 1, 9],
      ['image 5', 7, 7],
    ]);
  });

  it('are told once, and not again within two seconds', () => {
    const { unsure, looked, wait } = unsureOf();
    looked([1, 2, 3], [0.1, 0.2, 0.3]);
    const told = unsure.cursor;
    expect(unsure.since(told)).toBeUndefined();
    wait(-2500);
    looked([3, 2, 1], [0.1, 0.2, 0.3]);
    expect(unsure.since(told)).toBeUndefined();
    looked([3, 2, 1], [0.1, 0.2, 0.3]);
    expect(unsure.since(told)).toHaveLength(3);
  });
});
