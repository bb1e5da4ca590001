// Decodes one picture of any supported format from its bytes, and resizes pictures. It uses sharp, except for plain
// PNGs and for BMPs.
import sharp from 'sharp';
import type { Size } from '../options.js';
import { decodeBmp } from './bmp.js';
import { formatOf, MOST_PIXELS } from './format.js';
import { plainPng } from './png.js';
import { type DecodingLoss, type Picture, type RawPicture, withoutAlpha } from './raw.js';

/** The time limit of one picture. A picture of the most pixels takes seconds. */
const MOST_SECONDS = 120;

// Pictures are decoded in parallel by our own threads, and no picture is decoded twice.
sharp.concurrency(1);
sharp.cache(false);

/**
 * Decodes a picture as it is seen: rotated as its EXIF says, the first of several frames, in 8 bits, with transparent
 * parts on black. A picture of one channel is grey. size: the size that it is resized to, whatever its proportions.
 * Throws an Error whose message, the end of a sentence, says what is wrong with the picture.
 */
export async function decodePicture(bytes: Uint8Array, size: Size | undefined): Promise<Picture> {
  const format = formatOf(bytes);
  if (format === undefined) throw new Error('it is no PNG, JPEG, WebP, GIF, TIFF or BMP file');
  const raw = format === 'png' ? plainPng(bytes) : format === 'bmp' ? decodeBmp(bytes) : undefined;
  if (raw) return withoutAlpha(await resized(raw, size));
  try {
    return await bySharp(bytes, size);
  } catch (error) {
    throw new Error(reasonOf(error));
  }
}

/** Returns the picture in another size. */
export async function resized(raw: RawPicture, size: Size | undefined): Promise<RawPicture> {
  const { height, width, channels, pixels } = raw;
  if (size === undefined || (size.height === height && size.width === width)) return raw;
  const image = sharp(pixels, { raw: { height, width, channels } });
  const colours = image.resize(size.width, size.height, { fit: 'fill' }).toColourspace(channels === 1 ? 'b-w' : 'srgb');
  return picked(await colours.raw().toBuffer({ resolveWithObject: true }), channels);
}

async function bySharp(bytes: Uint8Array, size: Size | undefined): Promise<Picture> {
  const image = sharp(bytes, { limitInputPixels: MOST_PIXELS, failOn: 'error' }).timeout({ seconds: MOST_SECONDS });
  const { channels, space, depth, pages, hasAlpha } = await image.metadata();
  const isGrey = channels <= 2 && (space === 'b-w' || space === 'grey16');
  const turned = image.autoOrient();
  const sized = size ? turned.resize(size.width, size.height, { fit: 'fill' }) : turned;
  // From 16 bits, and with alpha, only the conversion through colours changes no value.
  const isPlainGrey = isGrey && !hasAlpha && depth === 'uchar';
  const decoded = await sized
    .toColourspace(isPlainGrey ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const losses: DecodingLoss[] = depth === 'uchar' ? [] : ['depth'];
  if ((pages ?? 1) > 1) losses.push('frames');
  return withoutAlpha(picked(decoded, isGrey ? (hasAlpha ? 2 : 1) : hasAlpha ? 4 : 3), losses);
}

interface Decoded {
  readonly data: Buffer;
  readonly info: { readonly height: number; readonly width: number; readonly channels: number };
}

/**
 * Returns the channels that are needed of those that sharp gives. Grey comes as three equal channels, and alpha is the
 * last one.
 */
function picked({ data, info }: Decoded, channels: RawPicture['channels']): RawPicture {
  const { height, width, channels: have } = info;
  if (have === channels) return { height, width, channels, pixels: data };
  const grey = channels <= 2;
  const hasAlpha = channels % 2 === 0;
  const pixels = new Uint8Array(height * width * channels);
  for (let from = 0, to = 0; from < data.length; from += have) {
    pixels[to++] = data[from]!;
    if (!grey) for (let c = 1; c < 3; c++) pixels[to++] = data[from + Math.min(c, have - 1)]!;
    if (hasAlpha) pixels[to++] = have % 2 === 0 ? data[from + have - 1]! : 255;
  }
  return { height, width, channels, pixels };
}

/** Returns the first line of sharp's message, without the path of its own source. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('exceeds pixel limit')) return `it declares more than ${MOST_PIXELS} pixels`;
  return message.split('\n')[0]!.slice(0, 200).replace(/:\s*$/, '');
}
