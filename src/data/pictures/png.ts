// Decodes small plain PNG files without the native library, whose calls take longer than a picture of 28 x 28 pixels.
// Anything unusual is left to that library: undefined never means an error.
import { crc32, inflateSync } from 'node:zlib';
import type { RawPicture } from './raw.js';

const SIGNATURE_BYTES = 8;
/** Above this size the native library is faster. */
const MOST_PIXELS = 2 ** 20;

/** The values of a pixel in the file by colour type: grey, colour, palette, grey with alpha, colour with alpha. */
const VALUES: Readonly<Record<number, 1 | 2 | 3 | 4>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PALETTE = 3;

/** Returns the four letters of a chunk's name as a number, as they are in the file. */
const named = (letters: string): number => Buffer.from(letters, 'latin1').readUInt32BE();
const [IHDR, PLTE, TRNS, IDAT, IEND] = ['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'].map(named);
/** Chunks that change how the picture looks, or that make it several pictures. */
const UNUSUAL: ReadonlySet<number> = new Set(['iCCP', 'cICP', 'eXIf', 'acTL', 'fdAT', 'fcTL'].map(named));
/** This bit of the first letter, which makes it a small letter, marks a chunk that a reader may ignore. */
const OPTIONAL = 0x20000000;

interface Header {
  readonly height: number;
  readonly width: number;
  readonly type: number;
}

interface Chunks extends Header {
  readonly palette: Uint8Array | undefined;
  /** The alpha values of the palette's colours. */
  readonly alphas: Uint8Array | undefined;
  readonly data: Uint8Array;
}

/** Decodes a plain PNG. bytes: a PNG file from its signature on. */
export function plainPng(bytes: Uint8Array): RawPicture | undefined {
  const chunks = chunksOf(bytes);
  if (!chunks) return undefined;
  const { height, width, type } = chunks;
  const values = VALUES[type]!;
  const rows = inflated(chunks.data, height * (1 + width * values));
  const pixels = rows && unfiltered(rows, height, width * values, values);
  if (!pixels) return undefined;
  if (type !== PALETTE) return { height, width, channels: values, pixels };
  return coloured(pixels, chunks);
}

/** Reads a number. For 60,000 small files, a view or a text for each number would take as long as everything else. */
const uint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

function chunksOf(file: Uint8Array): Chunks | undefined {
  let header: Header | undefined;
  let palette: Uint8Array | undefined;
  let alphas: Uint8Array | undefined;
  const data: Uint8Array[] = [];
  for (let at = SIGNATURE_BYTES; at + 12 <= file.length; ) {
    const end = at + 8 + uint32(file, at);
    const name = uint32(file, at + 4);
    if (end + 4 > file.length || UNUSUAL.has(name)) return undefined;
    if (crc32(file.subarray(at + 4, end)) !== uint32(file, end)) return undefined;
    const content = file.subarray(at + 8, end);
    if (name === IEND) {
      const isWhole = header && data.length > 0 && (header.type === PALETTE) === (palette !== undefined);
      if (!isWhole) return undefined;
      return { ...header!, palette, alphas, data: data.length === 1 ? data[0]! : Buffer.concat(data) };
    }
    if (header === undefined) {
      header = name === IHDR ? headerOf(content) : undefined;
      if (!header) return undefined;
    } else if (name === PLTE) {
      // In a picture of true colours, a palette is only a suggestion.
      if (header.type === PALETTE) palette = content;
    } else if (name === TRNS) {
      if (header.type !== PALETTE) return undefined;
      alphas = content;
    } else if (name === IDAT) data.push(content);
    else if ((name & OPTIONAL) === 0) return undefined;
    at = end + 4;
  }
  return undefined;
}

/** Returns the header of a picture with 8 bits per value that is not interlaced. */
function headerOf(content: Uint8Array): Header | undefined {
  if (content.length !== 13) return undefined;
  const [width, height, type] = [uint32(content, 0), uint32(content, 4), content[9]!];
  const rest = content[10]! | content[11]! | content[12]!;
  const isPlain = content[8] === 8 && type in VALUES && rest === 0;
  return isPlain && width > 0 && height > 0 && width * height <= MOST_PIXELS ? { height, width, type } : undefined;
}

/** Inflates data to exactly this many bytes. The checksum at their end is checked. */
function inflated(data: Uint8Array, length: number): Buffer | undefined {
  try {
    const rows = inflateSync(data, { chunkSize: Math.max(64, length + 1), maxOutputLength: length });
    return rows.length === length ? rows : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the filters of the rows (PNG specification, chapter 9). */
function unfiltered(rows: Uint8Array, height: number, bytes: number, values: number): Uint8Array | undefined {
  const pixels = new Uint8Array(height * bytes);
  for (let row = 0; row < height; row++) {
    const from = row * (bytes + 1);
    const filter = rows[from]!;
    const to = row * bytes;
    if (filter > 4) return undefined;
    if (filter < 2) {
      pixels.set(rows.subarray(from + 1, from + 1 + bytes), to);
      if (filter === 1) for (let i = to + values; i < to + bytes; i++) pixels[i] = pixels[i]! + pixels[i - values]!;
      continue;
    }
    for (let i = 0; i < bytes; i++) {
      const left = i < values ? 0 : pixels[to + i - values]!;
      const above = row === 0 ? 0 : pixels[to + i - bytes]!;
      const aboveLeft = row === 0 || i < values ? 0 : pixels[to + i - bytes - values]!;
      pixels[to + i] = rows[from + 1 + i]! + predicted(filter, left, above, aboveLeft);
    }
  }
  return pixels;
}

function predicted(filter: number, left: number, above: number, aboveLeft: number): number {
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  const estimate = left + above - aboveLeft;
  const [l, a, al] = [Math.abs(estimate - left), Math.abs(estimate - above), Math.abs(estimate - aboveLeft)];
  if (l <= a && l <= al) return left;
  return a <= al ? above : aboveLeft;
}

function coloured(indices: Uint8Array, { height, width, palette, alphas }: Chunks): RawPicture | undefined {
  const colours = palette!.length / 3;
  if (!Number.isInteger(colours) || colours > 256 || (alphas?.length ?? 0) > colours) return undefined;
  const channels = alphas ? 4 : 3;
  const pixels = new Uint8Array(indices.length * channels);
  for (let i = 0, to = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (index >= colours) return undefined;
    for (let c = 0; c < 3; c++) pixels[to++] = palette![3 * index + c]!;
    if (alphas) pixels[to++] = alphas[index] ?? 255;
  }
  return { height, width, channels, pixels };
}
