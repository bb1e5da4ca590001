// Decodes BMP files, which the native library does not read: uncompressed ones of 1 to 32 bits per pixel.

import { MOST_PIXELS } from './format.js';
import type { RawPicture } from './raw.js';

const FILE_HEADER_BYTES = 14;
/** The size of the second header in the form of OS/2, which has sizes of 16 bits and colours of three bytes. */
const OLD_HEADER_BYTES = 12;
const NO_COMPRESSION = 0;
const MASKS = [3, 6];

interface Header {
  readonly height: number;
  readonly width: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  /** The masks of red, green, blue and alpha, if a pixel has more than 8 bits. 0: there is no such channel. */
  readonly masks: readonly number[];
  /** Colours as blue, green and red, and, if a colour has four bytes, one that is not used. */
  readonly palette: Buffer;
  readonly bytesOfColour: number;
  readonly pixels: Buffer;
  readonly stride: number;
}

/** Decodes a BMP. bytes: of a file that formatOf() calls a BMP. Throws an Error that says what is wrong with it. */
export function decodeBmp(bytes: Uint8Array): RawPicture {
  const header = headerOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  return header.bits <= 8 ? ofPalette(header) : ofMasks(header);
}

function headerOf(file: Buffer): Header {
  const size = file.length >= FILE_HEADER_BYTES + 4 ? file.readUInt32LE(14) : 0;
  const isOld = size === OLD_HEADER_BYTES;
  if (file.length < FILE_HEADER_BYTES + size || size < OLD_HEADER_BYTES) throw ended();
  const width = isOld ? file.readUInt16LE(18) : file.readInt32LE(18);
  const signed = isOld ? file.readUInt16LE(20) : file.readInt32LE(22);
  const bits = file.readUInt16LE(isOld ? 24 : 28);
  const compression = isOld ? NO_COMPRESSION : file.readUInt32LE(30);
  const height = Math.abs(signed);
  if (width <= 0 || height === 0) throw new Error(`it declares ${width} x ${signed} pixels`);
  if (width * height > MOST_PIXELS) throw new Error(`it declares ${width} x ${height} pixels, more than are read`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`it has ${bits} bits a pixel`);
  const hasMasks = MASKS.includes(compression) && (bits === 16 || bits === 32);
  if (compression !== NO_COMPRESSION && !hasMasks) throw new Error('it is a compressed BMP');

  // In the oldest form that can have masks, they follow the header.
  const masksEnd = FILE_HEADER_BYTES + size + (hasMasks && size === 40 ? (compression === 6 ? 16 : 12) : 0);
  const start = file.readUInt32LE(10);
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (start < masksEnd || start + stride * height > file.length) throw ended();
  const bytesOfColour = isOld ? 3 : 4;
  const used = isOld ? 0 : file.readUInt32LE(46);
  const colours = bits > 8 ? 0 : used === 0 || used > 2 ** bits ? 2 ** bits : used;
  return {
    height,
    width,
    bits,
    stride,
    bytesOfColour,
    isTopDown: !isOld && signed < 0,
    masks: hasMasks ? masksOf(file, Math.max(masksEnd, FILE_HEADER_BYTES + size)) : plainMasks(bits),
    palette: file.subarray(masksEnd, Math.min(start, masksEnd + colours * bytesOfColour)),
    pixels: file.subarray(start, start + stride * height),
  };
}

const ended = (): Error => new Error('it ends before its pixels do');

/** Reads the masks, which are at byte 40 of the second header or directly behind it. */
function masksOf(file: Buffer, end: number): number[] {
  const at = FILE_HEADER_BYTES + 40;
  return [0, 4, 8, 12].map((offset) => (at + offset + 4 <= end ? file.readUInt32LE(at + offset) : 0));
}

const plainMasks = (bits: number): number[] => (bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0]);

function ofPalette({ height, width, bits, stride, pixels, palette, bytesOfColour, isTopDown }: Header): RawPicture {
  const colours = Math.floor(palette.length / bytesOfColour);
  const colour = (index: number, channel: number): number => palette[index * bytesOfColour + 2 - channel]!;
  // A grey BMP always has a palette of greys; there is no other way to write one.
  const isGrey = Array.from({ length: colours }, (_, i) => i).every(
    (i) => colour(i, 0) === colour(i, 1) && colour(i, 1) === colour(i, 2),
  );
  const channels = isGrey ? 1 : 3;
  const decoded = new Uint8Array(height * width * channels);
  for (let row = 0, to = 0; row < height; row++) {
    const from = (isTopDown ? row : height - 1 - row) * stride;
    for (let column = 0; column < width; column++) {
      const bit = column * bits;
      const index = (pixels[from + (bit >> 3)]! >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
      if (index >= colours) throw new Error(`a pixel has colour ${index} of ${colours}`);
      for (let c = 0; c < channels; c++) decoded[to++] = colour(index, c);
    }
  }
  return { height, width, channels, pixels: decoded };
}

function ofMasks({ height, width, bits, stride, pixels, masks, isTopDown }: Header): RawPicture {
  const parts = masks.map((mask) => ({ mask, shift: mask === 0 ? 0 : 31 - Math.clz32(mask & -mask), most: 0 }));
  for (const part of parts) part.most = part.mask >>> part.shift;
  const channels = masks[3] === 0 ? 3 : 4;
  const decoded = new Uint8Array(height * width * channels);
  const bytes = bits / 8;
  for (let row = 0, to = 0; row < height; row++) {
    const from = (isTopDown ? row : height - 1 - row) * stride;
    for (let column = 0; column < width; column++) {
      const value = pixels.readUIntLE(from + column * bytes, bytes);
      for (let c = 0; c < channels; c++) {
        const { mask, shift, most } = parts[c]!;
        decoded[to++] = most === 0 ? 0 : Math.round((((value & mask) >>> shift) * 255) / most);
      }
    }
  }
  return { height, width, channels, pixels: decoded };
}
