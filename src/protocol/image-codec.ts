// Encodes images that are sent to a node: in frames of whole images, or of parts of large ones, deflated if that makes
// them smaller.
import { promisify } from 'node:util';
import { deflateRaw, inflateRawSync } from 'node:zlib';
import type { Images } from '../data/images.js';
import type { BulkTag } from './channel.js';
import { MAX_BULK } from './limits.js';

/** Images [first, end), or the bytes of one image from `offset` on; `bytes` is the size of all. */
export interface ImagePiece {
  readonly first: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Yields the pieces of images [start, end), of at most `most` bytes each. */
export function* imagePieces(start: number, end: number, pixels: number, most: number): Generator<ImagePiece> {
  const images = Math.floor(most / pixels);
  if (images > 0) {
    for (let first = start; first < end; first += images)
      yield { first, offset: 0, bytes: Math.min(images, end - first) * pixels };
    return;
  }
  for (let first = start; first < end; first++)
    for (let offset = 0; offset < pixels; offset += most)
      yield { first, offset, bytes: Math.min(most, pixels - offset) };
}

/** Returns the bytes of a piece. */
export const bytesOfPiece = (images: Images, { first, offset, bytes }: ImagePiece): Uint8Array =>
  bytes < images.pixels
    ? images.at(first).slice(offset, offset + bytes)
    : images.copy(first, first + bytes / images.pixels);

/** The tag of a piece's frame. A payload that is shorter than `step` is deflated. */
type ImageTag = Pick<BulkTag, 'index' | 'offset' | 'step'>;

/** Deflating is used only if it leaves at most this share of the bytes. */
const WORTH = 7 / 8;
/**
 * Photographs hardly shrink. After a frame that does not, this many frames are sent undeflated before the next attempt.
 */
const PAUSE = 15;
const deflate = promisify(deflateRaw);

/** Makes the frames of the images that are sent to one node. */
export class ImageEncoder {
  private pause = 0;

  async encode(images: Images, piece: ImagePiece): Promise<{ readonly tag: ImageTag; readonly payload: Uint8Array }> {
    const plain = bytesOfPiece(images, piece);
    const tag = { index: piece.first, offset: piece.offset, step: piece.bytes };
    if (this.pause > 0) {
      this.pause--;
      return { tag, payload: plain };
    }
    // Level 1, because the others take several times as long, and save a tenth more. It runs in another thread, so that
    // steps continue.
    const payload = await deflate(plain, { level: 1 });
    if (payload.length <= WORTH * plain.length) return { tag, payload };
    this.pause = PAUSE;
    return { tag, payload: plain };
  }
}

/** Writes the images of a frame. Returns false if they do not fit, which no coordinator sends. */
export function writeImages({ index, offset, step: bytes }: ImageTag, payload: Uint8Array, images: Images): boolean {
  const { pixels, count } = images;
  const isPart = offset > 0 || bytes < pixels;
  const end = isPart ? index + 1 : index + bytes / pixels;
  if (bytes === 0 || bytes > MAX_BULK || !Number.isInteger(end) || end > count) return false;
  if (payload.length > bytes || (isPart && offset + bytes > pixels)) return false;
  const plain = payload.length === bytes ? payload : inflated(payload, bytes);
  if (plain?.length !== bytes) return false;
  images.write(index, offset, plain);
  return true;
}

/**
 * Inflates a payload. Returns undefined if it is not deflated, or would exceed `most` bytes; it never allocates more
 * than that.
 */
function inflated(payload: Uint8Array, most: number): Uint8Array | undefined {
  try {
    return inflateRawSync(payload, { maxOutputLength: most });
  } catch {
    return undefined;
  }
}
