// Recognises pictures by their first bytes, and limits their size.

/** The most pixels of a picture: 8,192 x 8,192. */
export const MOST_PIXELS = 2 ** 26;
/** The most bytes of a picture's file. */
export const MOST_FILE_BYTES = 2 ** 28;

/** The extensions of pictures' names. */
export const EXTENSIONS: ReadonlySet<string> = new Set(
  'png apng jpg jpeg jpe jfif webp gif tif tiff bmp dib'.split(' '),
);

export type PictureFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'bmp';

/** The number of bytes that formatOf() reads. */
export const MAGIC_BYTES = 18;

const STARTS: readonly (readonly [start: string, format: PictureFormat])[] = [
  ['\x89PNG\r\n\x1a\n', 'png'],
  ['\xff\xd8\xff', 'jpeg'],
  ['GIF87a', 'gif'],
  ['GIF89a', 'gif'],
  ['II*\0', 'tiff'],
  ['MM\0*', 'tiff'],
  ['II+\0', 'tiff'],
  ['MM\0+', 'tiff'],
];
/** The sizes that a BMP's second header can have. They are checked because two letters alone could begin any text. */
const BMP_HEADERS = [12, 40, 52, 56, 64, 108, 124];

/** Returns the format of a picture, or undefined if it is none that can be read. */
export function formatOf(bytes: Uint8Array): PictureFormat | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAGIC_BYTES));
  const text = start.toString('latin1');
  const known = STARTS.find(([each]) => text.startsWith(each));
  if (known) return known[1];
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return 'webp';
  const isBmp = text.startsWith('BM') && start.length === MAGIC_BYTES && BMP_HEADERS.includes(start.readUInt32LE(14));
  return isBmp ? 'bmp' : undefined;
}
