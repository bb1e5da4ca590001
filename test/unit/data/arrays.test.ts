// Tests data sets from a program's arrays and iterators, and their errors.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { datasetFromArrays, datasetFromImages, type GivenArrays, type GivenImage } from '../../../src/data/arrays.js';
import { type Dataset, UNKNOWN } from '../../../src/data/dataset.js';

const size = { height: 1, width: 2 };
const bytesOf = ({ images }: Dataset['train']): number[] => [...Buffer.concat([...images.views()])];
const namesOf = ({ train, classNames }: Dataset): (string | undefined)[] =>
  Array.from(train.labels, (label) => (label === UNKNOWN ? undefined : classNames[label]));

const failing = (make: () => unknown): unknown => {
  try {
    return make();
  } catch (error) {
    return error;
  }
};

describe('arrays of a program', () => {
  it('are images with labels, some of them unknown, and a test set', () => {
    const dataset = datasetFromArrays({
      ...size,
      name: 'mine',
      images: Uint8Array.of(1, 2, 3, 4, 5, 6),
      labels: ['b', undefined, 'a'],
      ids: ['x', 'y', 'z'],
      test: { images: Uint8ClampedArray.of(7, 8), labels: ['b'] },
    });
    expect(dataset).toMatchObject({
      name: 'mine',
      classNames: ['a', 'b'],
      channels: 1,
      train: { count: 3, ids: ['x', 'y', 'z'] },
    });
    expect([bytesOf(dataset.train), bytesOf(dataset.test!)]).toEqual([
      [1, 2, 3, 4, 5, 6],
      [7, 8],
    ]);
    expect(namesOf(dataset)).toEqual(['b', undefined, 'a']);
  });

  it('may have numbers, typed or not, and names for them', () => {
    const images = new Uint8Array(6);
    expect(namesOf(datasetFromArrays({ ...size, images, labels: Int32Array.of(7, -1, 10) }))).toEqual([
      '7',
      undefined,
      '10',
    ]);
    expect(namesOf(datasetFromArrays({ ...size, images, labels: [null, Number.NaN, 3] }))).toEqual([
      undefined,
      undefined,
      '3',
    ]);
    expect(namesOf(datasetFromArrays({ ...size, images, labels: [1, 0, -1], classNames: ['cat', 'dog'] }))).toEqual([
      'dog',
      'cat',
      undefined,
    ]);
    expect(namesOf(datasetFromArrays({ ...size, images }))).toEqual([undefined, undefined, undefined]);
  });

  it('may be floats from 0 to 1 or to 255', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 2 }), (bytes) => {
        const share = Float32Array.from(bytes, (byte) => byte / 255);
        expect(bytesOf(datasetFromArrays({ ...size, images: share }).train)).toEqual([...bytes]);
        const whole = Float64Array.of(...bytes, 2, 255);
        expect(bytesOf(datasetFromArrays({ ...size, images: whole }).train).slice(0, 2)).toEqual([...bytes]);
      }),
    );
  });

  it.each<[string, RegExp, Partial<GivenArrays>]>([
    ['E_DATA_SHAPE', /have 3 values/, { images: new Uint8Array(3) }],
    ['E_DATA_EMPTY', /are none/, { images: new Uint8Array() }],
    ['E_DATA_SHAPE', /4 channels/, { images: new Uint8Array(8), channels: 4 }],
    ['E_DATA_SHAPE', /0 x 2 pixels/, { images: new Uint8Array(2), height: 0 }],
    ['E_DATA_VALUES', /value -1/, { images: Float32Array.of(-1, 1) }],
    ['E_DATA_VALUES', /value NaN/, { images: Float32Array.of(Number.NaN, 1) }],
    ['E_DATA_COUNT', /are 1, with 2 labels/, { images: new Uint8Array(2), labels: [0, 1] }],
    ['E_DATA_VALUES', /0.5 is no label/, { images: new Uint8Array(2), labels: [0.5] }],
    ['E_DATA_COUNT', /2 ids, 1 of them different/, { images: new Uint8Array(4), ids: ['a', 'a'] }],
    [
      'E_DATA_CLASSES',
      /label c/,
      { images: new Uint8Array(2), labels: ['a'], test: { images: new Uint8Array(2), labels: ['c'] } },
    ],
  ])('are refused with %s: %s', (code, message, given) => {
    expect(failing(() => datasetFromArrays({ ...size, images: new Uint8Array(2), ...given }))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('images that come one by one', () => {
  async function* stream(images: readonly GivenImage[]): AsyncGenerator<GivenImage> {
    const one = new Uint8Array(2);
    for (const each of images) {
      one.set(each.image);
      yield { ...each, image: one };
    }
  }

  it('are those of arrays, however many they are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(255), fc.constantFrom('a', 'b', undefined)), { minLength: 1, maxLength: 300 }),
        async (given) => {
          const images = given.map(([byte, label], i) => ({
            image: Uint8Array.of(byte, 255 - byte),
            label,
            id: `${i}`,
          }));
          const streamed = await datasetFromImages(stream(images), size);
          const whole = datasetFromArrays({
            ...size,
            images: Uint8Array.from(images.flatMap(({ image }) => [...image])),
            labels: images.map(({ label }) => label),
            ids: images.map(({ id }) => id),
          });
          expect(streamed).toEqual(whole);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are refused where one has another size, some have ids, there are too many or none, and as their iterator fails', async () => {
    const image = new Uint8Array(2);
    await expect(datasetFromImages([{ image: new Uint8Array(3) }], size)).rejects.toMatchObject({
      code: 'E_DATA_SHAPE',
    });
    await expect(datasetFromImages([{ image, id: 'a' }, { image }], size)).rejects.toMatchObject({
      code: 'E_DATA_COUNT',
    });
    await expect(datasetFromImages([{ image }, { image, id: 'a' }], size)).rejects.toMatchObject({
      code: 'E_DATA_COUNT',
    });
    await expect(
      datasetFromImages(
        [
          { image, id: 'a' },
          { image, id: 'a' },
        ],
        size,
      ),
    ).rejects.toMatchObject({ code: 'E_DATA_COUNT' });
    await expect(datasetFromImages([{ image }, { image }], { ...size, most: 1 })).rejects.toThrow(/more than 1 images/);
    await expect(datasetFromImages([], size)).rejects.toMatchObject({ code: 'E_DATA_EMPTY' });
    const failing = async function* (): AsyncGenerator<GivenImage> {
      yield { image };
      throw new Error('the camera is off');
    };
    await expect(datasetFromImages(failing(), size)).rejects.toThrow('the camera is off');
  });
});
