// Tests the format of TFRecord files against published values.
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import {
  crc32c,
  histogramOf,
  masked,
  reconstructionsImage,
  recordOf,
} from '../../../src/reporting/tensorboard-file.js';

describe('CRC-32C', () => {
  it.each([
    ['the check value of the Rocksoft model', Buffer.from('123456789'), 0xe3069283],
    ['32 zeros (RFC 3720, B.4)', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones (RFC 3720, B.4)', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31 (RFC 3720, B.4)', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ])('of %s', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });
});

describe('a record', () => {
  it('is its length and its data, each before its masked checksum', () => {
    const data = Buffer.from('123456789');
    const record = Buffer.from(recordOf(data));
    expect(record.readBigUInt64LE(0)).toBe(9n);
    expect(record.readUInt32LE(8)).toBe(masked(crc32c(record.subarray(0, 8))));
    expect(record.subarray(12, 21)).toEqual(data);
    // mask(0xe3069283) = rotate right by 15, plus 0xa282ead8
    expect(record.readUInt32LE(21)).toBe((((0xe3069283 >>> 15) | (0xe3069283 << 17)) + 0xa282ead8) >>> 0);
    expect(record).toHaveLength(25);
  });
});

describe('a histogram of confidences', () => {
  it('has the range of its values, and their sums as if each were in the middle of its part', () => {
    const { min, max, sum, sumOfSquares, limits } = histogramOf([0, 2, 0, 1]);
    expect({ min, max, limits }).toEqual({ min: 0.25, max: 1, limits: [0.25, 0.5, 0.75, 1] });
    expect(sum).toBeCloseTo(2 * 0.375 + 0.875, 12);
    expect(sumOfSquares).toBeCloseTo(2 * 0.375 ** 2 + 0.875 ** 2, 12);
  });
});

describe('the picture of reconstructions', () => {
  it('has three rows and a column for each image', () => {
    const one = Buffer.alloc(6, 9).toString('base64');
    const image = { original: one, noisy: one, reconstructed: one };
    expect(reconstructionsImage({ rows: 2, columns: 3 }, [image, image])).toMatchObject({
      image: { width: 6, height: 6, channels: 1 },
    });
  });

  it('keeps the colours of each pixel, line by line', () => {
    const [red, blue] = [
      [255, 0, 0, 200, 0, 0],
      [0, 0, 255, 0, 0, 200],
    ].map((bytes) => Buffer.from(bytes).toString('base64'));
    const images = [red!, blue!].map((each) => ({ original: each, noisy: each, reconstructed: each }));
    const value = reconstructionsImage({ rows: 1, columns: 2, channels: 3 }, images);
    if (!('image' in value)) throw new Error('no image');
    const { width, height, channels, png } = value.image;
    expect([width, height, channels]).toEqual([4, 3, 3]);
    const line = [255, 0, 0, 200, 0, 0, 0, 0, 255, 0, 0, 200];
    expect([...decode(png).data]).toEqual([...line, ...line, ...line]);
  });
});
