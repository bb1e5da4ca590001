// Makes image files for tests: files of every format, made by sharp, and small PNG and BMP files made by hand.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

export interface Raw {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 2 | 3 | 4;
  readonly pixels: Uint8Array;
}

/** Makes a grey image whose pixels all differ from their neighbours. */
export function greyPicture(height = 4, width = 6, start = 0): Raw {
  return { height, width, channels: 1, pixels: Uint8Array.from({ length: height * width }, (_, i) => start + 7 * i) };
}

export function colourPicture(height = 4, width = 6): Raw {
  const pixels = Uint8Array.from({ length: 3 * height * width }, (_, i) => 11 * i);
  return { height, width, channels: 3, pixels };
}

/** Returns a Sharp that writes the image as PNG, JPEG and so on. */
export const sharpOf = ({ height, width, channels, pixels }: Raw): Sharp =>
  sharp(pixels, { raw: { height, width, channels } }).toColourspace(channels <= 2 ? 'b-w' : 'srgb');

export const pngOf = (raw: Raw): Promise<Buffer> => sharpOf(raw).png().toBuffer();

export async function writeFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

export function pngChunk(name: string, content: Uint8Array): Buffer {
  const chunk = Buffer.alloc(12 + content.length);
  chunk.writeUInt32BE(content.length);
  chunk.write(name, 4, 'latin1');
  chunk.set(content, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + content.length)), 8 + content.length);
  return chunk;
}

/** Makes a PNG of the declared size, with rows that need not fit it. */
export function pngFile(
  width: number,
  height: number,
  { type = 0, depth = 8, interlace = 0 },
  rows: Uint8Array,
  chunks: readonly Buffer[] = [],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([depth, type, 0, 0, interlace], 8);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const data = pngChunk('IDAT', deflateSync(rows));
  return Buffer.concat([signature, pngChunk('IHDR', header), ...chunks, data, pngChunk('IEND', Buffer.alloc(0))]);
}

/** Makes a BMP of 24 bits a pixel, from the bottom up. */
export function bmpOf({ height, width, pixels }: Raw): Buffer {
  const stride = 4 * Math.ceil((3 * width) / 4);
  const file = Buffer.alloc(54 + stride * height);
  file.write('BM', 'latin1');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(height, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  for (let row = 0; row < height; row++)
    for (let i = 0; i < 3 * width; i++)
      file[54 + (height - 1 - row) * stride + i] = pixels[3 * (row * width + Math.floor(i / 3)) + 2 - (i % 3)]!;
  return file;
}
