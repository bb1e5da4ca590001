// Tests random changes of images: what they leave unchanged, how far they go, and that their names decide them.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Augmenter, augmented, type RowName } from '../../../src/data/augment.js';
import { AUGMENTATIONS, type Augmentation, type ImageSize } from '../../../src/data/augmentation.js';

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
  set: fc.constantFrom('labelled', 'unlabelled', 'weak'),
  row: fc.nat(100_000),
});

describe('an augmented image', () => {
  it('is the image itself where nothing is changed', () => {
    fc.assert(
      fc.property(anyImage, anyName, ({ size, image }, name) => {
        expect(augmented(image, size, AUGMENTATIONS.none, name)).toEqual(image);
        const nothing = { rotate: 0, elastic: 0, crop: 1, flip: false, brightness: 0, hue: 0, noise: 0, cutout: 0 };
        expect(augmented(image, size, nothing, name)).toEqual(image);
      }),
    );
  });

  it.each(Object.entries(AUGMENTATIONS))('by %s is the same for the same name, of the same size', (_, by) => {
    fc.assert(
      fc.property(anyImage, anyName, ({ size, image }, name) => {
        const before = image.slice();
        const changed = augmented(image, size, by, name);
        expect(changed).toEqual(augmented(image, size, by, name));
        expect(changed).toHaveLength(image.length);
        expect(image).toEqual(before);
      }),
    );
  });

  it('has no brighter pixel than the image where pixels are moved alone', () => {
    fc.assert(
      fc.property(anyImage, anyName, ({ size, image }, name) => {
        const changed = augmented(image, size, { ...AUGMENTATIONS.digits, flip: true, crop: 0.5 }, name);
        expect(Math.max(...changed)).toBeLessThanOrEqual(Math.max(...image));
      }),
    );
  });

  it('does not depend on the images that were changed before it', () => {
    const size = { height: 9, width: 7, channels: 3 };
    const images = [0, 1, 2].map((seed) => Uint8Array.from({ length: 189 }, (_, i) => (i * 37 + seed * 91) % 256));
    const augmenter = new Augmenter(size);
    for (const [row, image] of images.entries()) {
      const found = new Uint8Array(189).fill(77);
      augmenter.write(image, AUGMENTATIONS.photos, { ...NAME, row }, found);
      expect(found).toEqual(augmented(image, size, AUGMENTATIONS.photos, { ...NAME, row }));
    }
  });

  it.each([
    ['digits', 1, 'd678b949d9712dfd'],
    ['photos', 3, '63db6372b1f2cda9'],
    ['colour', 3, '1619988ef4178453'],
  ] as const)('by %s has the same bits on every machine', (by, channels, sha256) => {
    const size = { height: 28, width: 28, channels };
    const image = Uint8Array.from({ length: 784 * channels }, (_, i) => (i * i * 7 + 31 * i) % 256);
    const hash = createHash('sha256');
    for (let row = 0; row < 64; row++)
      hash.update(augmented(image, size, { ...AUGMENTATIONS[by], noise: 0.1 }, { ...NAME, row }));
    expect(hash.digest('hex').slice(0, 16)).toBe(sha256);
  });

  it('is another for another seed, stage, step, set or row', () => {
    const size = { height: 12, width: 12, channels: 1 };
    const image = Uint8Array.from({ length: 144 }, (_, i) => (i * 37) % 256);
    const others: Partial<RowName>[] = [
      ...[{ seed: 2 }, { stage: 1 }, { step: 1 }, { row: 1 }],
      ...([{ set: 'unlabelled' }, { set: 'weak' }] as const),
    ];
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

  /**
   * Returns the largest distance from the middle, each way, of the centre of mass of a square in the middle, over many
   * draws.
   */
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

  it('is bent by less than its knots are moved, each place in its own way', () => {
    const { x, y } = moved({ elastic: 1 });
    // A knot is within 3.46 deviations, and the spline is a mean of knots.
    expect([x, y].every((most) => most > 0.8 && most < 3.46)).toBe(true);
    const size = { height: 40, width: 40, channels: 1 };
    const lines = Uint8Array.from({ length: 1600 }, (_, i) => (i % 40 === 4 || i % 40 === 35 ? 255 : 0));
    const columnOf = (image: Uint8Array, row: number, from: number): number => {
      const part = image.subarray(row * 40 + from, row * 40 + from + 20);
      const mass = part.reduce((sum, value) => sum + value, 0);
      return part.reduce((sum, value, i) => sum + value * i, 0) / mass + from;
    };
    const changed = augmented(lines, size, { elastic: 2 }, NAME);
    const moves = [4, 20, 35].flatMap((row) => [columnOf(changed, row, 0) - 4, columnOf(changed, row, 20) - 35]);
    expect(new Set(moves.map((move) => move.toFixed(1))).size).toBeGreaterThan(3);
  });

  it('shows a window of at least the asked side, somewhere in the image', () => {
    const size = { height: 64, width: 64, channels: 1 };
    const ramp = Uint8Array.from({ length: 4096 }, (_, i) => 2 * (i % 64) + 60);
    const found = Array.from({ length: 200 }, (_, row) => {
      const middle = augmented(ramp, size, { crop: 0.5 }, { ...NAME, row }).subarray(32 * 64, 33 * 64);
      return { side: (middle[60]! - middle[4]!) / 112, first: (middle[4]! - 60) / 2 };
    });
    const sides = found.map(({ side }) => side);
    expect(Math.min(...sides)).toBeGreaterThan(0.48);
    expect(Math.min(...sides)).toBeLessThan(0.55);
    expect(Math.max(...sides)).toBeGreaterThan(0.95);
    const firsts = found.map(({ first }) => first);
    expect(Math.min(...firsts)).toBeLessThan(6);
    expect(Math.max(...firsts)).toBeGreaterThan(20);
  });

  /** Returns the mean of each channel, over draws of a plain image. */
  const plain = (colour: readonly number[], by: Augmentation): number[][] =>
    Array.from({ length: 200 }, (_, row) => {
      const image = Uint8Array.from({ length: 16 * colour.length }, (_, i) => colour[i % colour.length]!);
      const changed = augmented(image, { height: 4, width: 4, channels: colour.length }, by, { ...NAME, row });
      return colour.map((_, c) => changed.filter((_, i) => i % colour.length === c).reduce((a, b) => a + b, 0) / 16);
    });
  const luma = ([r, g, b]: readonly number[]) => 0.299 * r! + 0.587 * g! + 0.114 * b!;

  it('is brighter or darker by as much as asked for, grey or in colour', () => {
    for (const colour of [[100], [100, 100, 100], [100, 100]]) {
      const found = plain(colour, { brightness: 0.4 }).map(([first]) => first!);
      expect(Math.min(...found)).toBeGreaterThanOrEqual(59);
      expect(Math.min(...found)).toBeLessThan(65);
      expect(Math.max(...found)).toBeLessThanOrEqual(141);
      expect(Math.max(...found)).toBeGreaterThan(135);
    }
  });

  it('keeps its mean where its contrast is changed', () => {
    const image = Uint8Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? 80 : 160));
    for (let row = 0; row < 100; row++) {
      const changed = augmented(image, { height: 8, width: 8, channels: 1 }, { contrast: 0.5 }, { ...NAME, row });
      expect(changed.reduce((sum, value) => sum + value, 0) / 64).toBeCloseTo(120, -0.5);
      expect(Math.abs(changed[1]! - changed[0]!)).toBeGreaterThanOrEqual(39);
      expect(Math.abs(changed[1]! - changed[0]!)).toBeLessThanOrEqual(121);
    }
  });

  it('keeps its brightness, and its greys, where its colours are turned or made stronger', () => {
    for (const by of [{ hue: 90 }, { saturation: 0.5 }, { hue: 40, saturation: 0.9 }]) {
      for (const found of plain([120, 90, 110], by)) expect(luma(found)).toBeCloseTo(luma([120, 90, 110]), -0.5);
      for (const found of plain([77, 77, 77], by)) expect(found).toEqual([77, 77, 77]);
    }
    const turned = plain([150, 90, 90], { hue: 90 });
    expect(turned.some(([r, g, b]) => g! > r! + 10 && g! > b!)).toBe(true);
    expect(turned.some(([r, g, b]) => b! > r! + 10 && b! > g!)).toBe(true);
  });

  it('has noise of the asked deviation, and none beyond black and white', () => {
    const size = { height: 50, width: 50, channels: 1 };
    const grey = augmented(new Uint8Array(2500).fill(128), size, { noise: 0.1 }, NAME);
    const mean = grey.reduce((sum, value) => sum + value, 0) / 2500;
    const deviation = Math.sqrt(grey.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2500);
    expect(mean).toBeCloseTo(128, -0.5);
    expect(Math.abs(deviation - 25.5)).toBeLessThan(1.5);
    const white = augmented(new Uint8Array(2500).fill(255), size, { noise: 0.1 }, NAME);
    expect(Math.min(...white)).toBeGreaterThan(150);
    expect(white.filter((value) => value === 255).length).toBeGreaterThan(1000);
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
