// Random changes of images: what they leave alone, how far they go, and that their names decide them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AUGMENTATIONS,
  type Augmentation,
  augmented,
  type ImageSize,
  type RowName,
} from '../../../src/data/augment.js';

const NAME: RowName = { seed: 1, stage: 0, step: 0, set: 'labelled', row: 0 };
const anySize: fc.Arbitrary<ImageSize> = fc.record({
  height: fc.integer({ min: 1, max: 12 }),
  width: fc.integer({ min: 1, max: 12 }),
  channels: fc.constantFrom(1, 3),
});
const anyImage = anySize.chain((size) =>
  fc
    .uint8Array({
      minLength: size.height * size.width * size.channels,
      maxLength: size.height * size.width * size.channels,
    })
    .map((image) => ({ size, image })),
);
const anyName: fc.Arbitrary<RowName> = fc.record({
  seed: fc.nat(),
  stage: fc.nat(3),
  step: fc.nat(9999),
  set: fc.constantFrom('labelled', 'unlabelled'),
  row: fc.nat(100_000),
});

describe('an augmented image', () => {
  it('is the image itself where nothing is changed', () => {
    fc.assert(
      fc.property(anyImage, anyName, ({ size, image }, name) => {
        expect(augmented(image, size, AUGMENTATIONS.none, name)).toEqual(image);
      }),
    );
  });

  it('is the same for the same name, of the same size, and made of nothing brighter', () => {
    fc.assert(
      fc.property(anyImage, anyName, ({ size, image }, name) => {
        const before = image.slice();
        const changed = augmented(image, size, AUGMENTATIONS.digits, name);
        expect(changed).toEqual(augmented(image, size, AUGMENTATIONS.digits, name));
        expect(changed).toHaveLength(image.length);
        expect(Math.max(...changed)).toBeLessThanOrEqual(Math.max(...image));
        expect(image).toEqual(before);
      }),
    );
  });

  it('is another for another seed, stage, step, set or row', () => {
    const size = { height: 12, width: 12, channels: 1 };
    const image = Uint8Array.from({ length: 144 }, (_, i) => (i * 37) % 256);
    const others: Partial<RowName>[] = [{ seed: 2 }, { stage: 1 }, { step: 1 }, { set: 'unlabelled' }, { row: 1 }];
    const changed = [{}, ...others].map((other) =>
      String(augmented(image, size, AUGMENTATIONS.digits, { ...NAME, ...other })),
    );
    expect(new Set(changed).size).toBe(changed.length);
  });

  it('is mirrored about half the time, whole', () => {
    const size = { height: 1, width: 4, channels: 1 };
    const image = Uint8Array.of(1, 2, 3, 4);
    const found = Array.from({ length: 400 }, (_, row) =>
      String(augmented(image, size, { flip: true }, { ...NAME, row })),
    );
    expect(new Set(found)).toEqual(new Set(['1,2,3,4', '4,3,2,1']));
    expect(found.filter((each) => each === '4,3,2,1').length).toBeGreaterThan(150);
  });

  /** The centre of mass of a square in the middle, over many draws: the largest distance from the middle, each way. */
  function moved(by: Augmentation): { x: number; y: number } {
    const size = { height: 21, width: 21, channels: 1 };
    const image = Uint8Array.from({ length: 441 }, (_, i) =>
      Math.abs((i % 21) - 10) <= 1 && Math.abs(Math.floor(i / 21) - 10) <= 1 ? 200 : 0,
    );
    const most = { x: 0, y: 0 };
    for (let row = 0; row < 300; row++) {
      const changed = augmented(image, size, by, { ...NAME, row });
      const mass = changed.reduce((sum, value) => sum + value, 0);
      const mean = (of: (i: number) => number) => changed.reduce((sum, value, i) => sum + value * of(i), 0) / mass - 10;
      most.x = Math.max(most.x, Math.abs(mean((i) => i % 21)));
      most.y = Math.max(most.y, Math.abs(mean((i) => Math.floor(i / 21))));
    }
    return most;
  }

  it('is moved by as many pixels as asked for at most, and turned and scaled about its middle', () => {
    const { x, y } = moved({ shift: 4 });
    expect([x, y].every((most) => most > 3.5 && most <= 4.05)).toBe(true);
    const still = moved({ rotate: 30, scale: 0.3, shear: 0.3 });
    expect(Math.max(still.x, still.y)).toBeLessThan(0.1);
  });

  it('loses one square where it is cut out', () => {
    const size = { height: 20, width: 20, channels: 3 };
    const image = new Uint8Array(1200).fill(9);
    for (let row = 0; row < 100; row++) {
      const black = augmented(image, size, { cutout: 6 }, { ...NAME, row }).filter((value) => value === 0).length;
      expect(black % 3).toBe(0);
      expect(black / 3).toBeGreaterThanOrEqual(9 - 3);
      expect(black / 3).toBeLessThanOrEqual(36);
    }
  });
});
