// Tests how image files become pixels: every format, what is lost, what is refused, and the program's own decoders
// against sharp.
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../../src/data/pictures/decode.js';
import { plainPng } from '../../../src/data/pictures/png.js';
import { withoutAlpha } from '../../../src/data/pictures/raw.js';
import { bmpOf, colourPicture, greyPicture, pngChunk, pngFile, pngOf, type Raw, sharpOf } from '../../pictures.js';

const decode = (bytes: Uint8Array) => decodePicture(bytes, undefined);
const bytesOf = (pixels: Uint8Array): number[] => Array.from(pixels);

describe('a picture', () => {
  it.each(['png', 'tiff', 'gif', 'webp'] as const)('is decoded from %s as it was', async (format) => {
    const raw = colourPicture(8, 8);
    const bytes = await sharpOf(raw)
      .toFormat(format, format === 'webp' ? { lossless: true } : format === 'tiff' ? { compression: 'lzw' } : {})
      .toBuffer();
    expect(await decode(bytes)).toEqual({ ...raw, pixels: expect.anything(), losses: [] });
    if (format !== 'gif') expect(bytesOf((await decode(bytes)).pixels)).toEqual(bytesOf(raw.pixels));
  });

  it('is decoded from a BMP as it was', async () => {
    const raw = colourPicture(5, 7);
    expect(bytesOf((await decode(bmpOf(raw))).pixels)).toEqual(bytesOf(raw.pixels));
  });

  it('of one channel is grey, in PNG, JPEG and TIFF', async () => {
    for (const format of ['png', 'jpeg', 'tiff'] as const) {
      const decoded = await decode(await sharpOf(greyPicture()).toFormat(format).toBuffer());
      expect(decoded, format).toMatchObject({ height: 4, width: 6, channels: 1, losses: [] });
      expect(decoded.pixels.length).toBe(24);
    }
  });

  it('of CMYK becomes colour', async () => {
    const jpeg = await sharpOf(colourPicture(16, 16)).toColourspace('cmyk').jpeg().toBuffer();
    expect((await sharp(jpeg).metadata()).space).toBe('cmyk');
    expect(await decode(jpeg)).toMatchObject({ height: 16, width: 16, channels: 3 });
  });

  it('of 16 bits is reduced to 8, and that is told', async () => {
    const pixels = Uint16Array.from({ length: 24 }, (_, i) => (2731 * i) % 65536);
    const png = await sharp(pixels, { raw: { height: 4, width: 6, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    const decoded = await decode(png);
    expect(decoded).toMatchObject({ channels: 1, losses: ['depth'] });
    expect(bytesOf(decoded.pixels)).toEqual(Array.from(pixels, (value) => value >> 8));
  });

  it('is turned as its EXIF says', async () => {
    const jpeg = await sharpOf(colourPicture(8, 16)).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await decode(jpeg)).toMatchObject({ height: 16, width: 8 });
  });

  it('with frames is its first frame, and that is told', async () => {
    const frames = Buffer.concat([Buffer.alloc(3 * 64, 10), Buffer.alloc(3 * 64, 200)]);
    const gif = await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
      .gif()
      .toBuffer();
    const decoded = await decode(gif);
    expect(decoded).toMatchObject({ height: 8, width: 8, losses: ['frames'] });
    expect(decoded.pixels[0]).toBeLessThan(50);
  });

  it('is put on black where it is transparent, and that is told only where something is', async () => {
    const pixels = Uint8Array.from([255, 100, 0, 128, 10, 20, 30, 255]);
    const raw: Raw = { height: 1, width: 2, channels: 4, pixels };
    const decoded = await decode(await pngOf(raw));
    expect(bytesOf(decoded.pixels)).toEqual([128, 50, 0, 10, 20, 30]);
    expect(decoded.losses).toEqual(['alpha']);
    pixels[3] = 255;
    expect((await decode(await pngOf(raw))).losses).toEqual([]);
  });

  it('is resized to the size that is asked for, grey and colour, by every decoder', async () => {
    for (const bytes of [
      await pngOf(greyPicture(9, 5)),
      await pngOf(colourPicture(9, 5)),
      bmpOf(colourPicture(9, 5)),
      await sharpOf(colourPicture(9, 5)).jpeg().toBuffer(),
    ]) {
      const decoded = await decodePicture(bytes, { height: 4, width: 8 });
      expect(decoded).toMatchObject({ height: 4, width: 8 });
      expect(decoded.pixels.length).toBe(32 * decoded.channels);
    }
  });
});

describe('a plain PNG', () => {
  const sizes = fc.record({ width: fc.integer({ min: 1, max: 12 }), height: fc.integer({ min: 1, max: 12 }) });
  const VALUES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;

  /** Returns what sharp makes of it by the same steps. */
  async function bySharp(png: Buffer, channels: 1 | 2 | 3 | 4) {
    const { data, info } = await sharp(png).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    const pixels = Uint8Array.from({ length: info.width * info.height * channels }, (_, i) => {
      const pixel = Math.floor(i / channels) * info.channels;
      const isAlpha = channels % 2 === 0 && i % channels === channels - 1;
      return data[pixel + (isAlpha ? info.channels - 1 : i % channels)]!;
    });
    return withoutAlpha({ height: info.height, width: info.width, channels, pixels });
  }

  it('of any type and with any filters is what sharp makes of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.constantFrom(0, 2, 3, 4, 6),
        fc.boolean(),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        async ({ width, height }, type, hasAlphas, numbers) => {
          const next = (): number => numbers.next().value as number;
          const colours = 256;
          const chunks =
            type === 3
              ? [
                  pngChunk('PLTE', Uint8Array.from({ length: 3 * colours }, next)),
                  ...(hasAlphas ? [pngChunk('tRNS', Uint8Array.from({ length: 40 }, next))] : []),
                ]
              : [pngChunk('gAMA', Uint8Array.from([0, 0, 0xb1, 0x8f]))];
          const row = 1 + width * VALUES[type as keyof typeof VALUES];
          const rows = Uint8Array.from({ length: row * height }, (_, i) => (i % row === 0 ? next() % 5 : next()));
          const png = pngFile(width, height, { type }, rows, chunks);
          const raw = plainPng(png);
          expect(raw).toBeDefined();
          const expected = await bySharp(png, raw!.channels);
          expect(withoutAlpha(raw!)).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('that is damaged at any byte is either refused, or the same picture', async () => {
    const raw = greyPicture(6, 6);
    const png = await pngOf(raw);
    await fc.assert(
      fc.asyncProperty(fc.nat(png.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = Buffer.from(png);
        damaged[at]! ^= change;
        const decoded = plainPng(damaged);
        if (decoded) expect(bytesOf(decoded.pixels)).toEqual(bytesOf(raw.pixels));
      }),
    );
  });

  it('that ends early is refused', async () => {
    const png = await pngOf(greyPicture(6, 6));
    for (let length = 0; length < png.length - 12; length++) {
      expect(plainPng(png.subarray(0, length))).toBeUndefined();
      await expect(decode(png.subarray(0, length)), `${length} bytes`).rejects.toThrow();
    }
  });
});

describe('what is refused before it takes memory', () => {
  it('is a picture that declares more pixels than are read', async () => {
    const png = pngFile(50_000, 50_000, {}, new Uint8Array(100));
    await expect(decode(png)).rejects.toThrow('it declares more than 67108864 pixels');
    const bmp = bmpOf(colourPicture());
    bmp.writeInt32LE(50_000, 18);
    bmp.writeInt32LE(50_000, 22);
    await expect(decode(bmp)).rejects.toThrow('more than are read');
  });

  it('is a small file that inflates to a thousand times what it declares', async () => {
    const png = pngFile(28, 28, {}, new Uint8Array(2 ** 26));
    expect(png.length).toBeLessThan(2 ** 17);
    expect(plainPng(png)).toBeUndefined();
    const before = process.memoryUsage().rss;
    await decode(png).catch(() => undefined); // Libraries may take what is declared and leave the rest.
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 26);
  });

  it('is what is no picture, and a picture of a format that is not read', async () => {
    for (const text of [
      '',
      'BM',
      'not a picture at all',
      '<svg xmlns="http://www.w3.org/2000/svg"/>',
      '\x89PNG\r\n\x1a\n',
    ])
      await expect(decode(Buffer.from(text, 'latin1')), text).rejects.toThrow();
  });
});

describe('a BMP', () => {
  it('from the top down has its rows in that order, and one of a grey palette is grey', async () => {
    const raw = colourPicture(2, 2);
    const topDown = bmpOf(raw);
    topDown.writeInt32LE(-2, 22);
    expect(bytesOf((await decode(topDown)).pixels)).toEqual([...raw.pixels.subarray(6), ...raw.pixels.subarray(0, 6)]);
    const grey = Buffer.alloc(54 + 3 * 4 + 2 * 4);
    bmpOf(raw).copy(grey, 0, 0, 54);
    grey.writeUInt32LE(66, 10);
    grey.writeUInt16LE(8, 28);
    grey.writeUInt32LE(3, 46);
    for (const [i, value] of [0, 90, 255].entries()) grey.fill(value, 54 + 4 * i, 57 + 4 * i);
    grey.set([1, 2], 66);
    expect(await decode(grey)).toMatchObject({ channels: 1, pixels: Uint8Array.from([0, 0, 90, 255]) });
    grey[66] = 3;
    await expect(decode(grey)).rejects.toThrow('a pixel has colour 3 of 3');
  });

  it('of any bytes behind its first ones is refused or decoded within its bounds', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.tuple(fc.nat(53), fc.nat(255))),
        async (tail, changes) => {
          const file = Buffer.concat([bmpOf(colourPicture(2, 2)).subarray(0, 54), tail]);
          for (const [at, value] of changes) file[at] = value;
          const decoded = await decode(file).catch((error: unknown) => error);
          if (decoded instanceof Error) expect(decoded.message).not.toContain('undefined');
          else expect(decoded).toMatchObject({ losses: expect.anything() });
        },
      ),
    ));
});
