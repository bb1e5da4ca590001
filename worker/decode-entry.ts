// Decodes images on a thread: reads them, and writes their pixels into a store that it shares with the other threads.
// It has no state.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ImageStore } from '../src/data/image-store.js';
import type { Size } from '../src/data/options.js';
import { decodePicture, resized } from '../src/data/pictures/decode.js';
import { MOST_FILE_BYTES } from '../src/data/pictures/format.js';
import { type DecodingLoss, type Picture, withoutAlpha } from '../src/data/pictures/raw.js';
import { READING, whyNotRead } from '../src/files/read.js';

/** What another thread needs to know of an ImageStore. */
export type StoreParts = Pick<ImageStore, 'count' | 'pixels' | 'blocks'>;

/** Images of one set that are decoded one after the other. */
export interface DecodeTask {
  /** The path or the bytes of each image file; or images that are plain pixels already. */
  readonly pictures: readonly (string | Uint8Array)[] | PlainTask;
  /** The place of the first image in the store. */
  readonly first: number;
  /** If undefined, images are only decoded to learn their sizes. */
  readonly target: ({ readonly store: StoreParts; readonly channels: number } & Size) | undefined;
  readonly resizes: boolean;
}

interface PlainTask extends Size {
  readonly store: StoreParts;
  readonly channels: number;
  readonly first: number;
  readonly count: number;
}

export interface DecodeResult {
  /** The number of images of each size, such as 28x28. */
  readonly sizes: Readonly<Record<string, number>>;
  /** The first image that does not have the size of the target, as its position in the task. */
  readonly otherSize: number | undefined;
  readonly grey: number;
  readonly colour: number;
  readonly losses: Readonly<Partial<Record<DecodingLoss, number>>>;
  /** Images that cannot be decoded, as positions in the task. */
  readonly bad: readonly { readonly picture: number; readonly why: string }[];
  /** The time that the thread took for them. */
  readonly milliseconds: number;
}

/** Decodes the images of a task. piscina calls this function. */
export async function decode(task: DecodeTask): Promise<DecodeResult> {
  const began = performance.now();
  const { pictures, first, target, resizes } = task;
  const size = resizes ? target : undefined;
  const store = target && storeOf(target.store);
  const sizes: Record<string, number> = {};
  const losses: Partial<Record<DecodingLoss, number>> = {};
  const bad: { picture: number; why: string }[] = [];
  let [grey, colour] = [0, 0];
  let otherSize: number | undefined;
  const count = 'store' in pictures ? pictures.count : pictures.length;
  for (let i = 0; i < count; i++) {
    let picture: Picture;
    try {
      picture = await ('store' in pictures ? plainPicture(pictures, i, size) : encodedPicture(pictures[i]!, size));
    } catch (error) {
      bad.push({ picture: i, why: whyNotRead(error) });
      continue;
    }
    const { height, width, channels } = picture;
    const name = `${height}x${width}`;
    sizes[name] = (sizes[name] ?? 0) + 1;
    if (channels === 1) grey++;
    else colour++;
    for (const loss of picture.losses) losses[loss] = (losses[loss] ?? 0) + 1;
    if (!store || !target) continue;
    if (height !== target.height || width !== target.width) otherSize ??= i;
    else if (channels <= target.channels) put(store.at(first + i), picture);
  }
  return { sizes, otherSize, grey, colour, losses, bad, milliseconds: performance.now() - began };
}

const storeOf = ({ count, pixels, blocks }: StoreParts): ImageStore => new ImageStore(count, pixels, blocks);

/** Copies pixels. A grey image in a store of colour has each value three times. */
function put(to: Uint8Array, { pixels }: Picture): void {
  if (pixels.length === to.length) to.set(pixels);
  else for (let i = 0; i < to.length; i++) to[i] = pixels[Math.floor(i / 3)]!;
}

function encodedPicture(picture: string | Uint8Array, size: Size | undefined): Promise<Picture> {
  return decodePicture(typeof picture === 'string' ? bytesOf(picture) : picture, size);
}

async function plainPicture(task: PlainTask, i: number, size: Size | undefined): Promise<Picture> {
  const { height, width, channels } = task;
  const pixels = Uint8Array.from(storeOf(task.store).at(task.first + i));
  return withoutAlpha(await resized({ height, width, channels: channels === 1 ? 1 : 3, pixels }, size));
}

/**
 * A buffer in which most files fit. Reading is synchronous, because asynchronous reads would take as long as decoding.
 */
const usual = Buffer.alloc(2 ** 16);

function bytesOf(path: string): Uint8Array {
  const file = openSync(path, READING);
  try {
    const length = readSync(file, usual, 0, usual.length, 0);
    // This makes a copy, because a later file may be read before this one is decoded.
    if (length < usual.length) return Uint8Array.prototype.slice.call(usual, 0, length);
    const { size } = fstatSync(file);
    if (size > MOST_FILE_BYTES) throw new Error(`it has ${size} bytes, more than the ${MOST_FILE_BYTES} that are read`);
    const bytes = Buffer.alloc(size);
    let filled = 0;
    while (filled < size) {
      const read = readSync(file, bytes, filled, size - filled, filled);
      if (read === 0) break;
      filled += read;
    }
    return bytes.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}
