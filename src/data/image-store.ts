// The images of a set as bytes in shared memory. Threads read them without a copy, and they may exceed the size of a
// WebAssembly memory.
import { createHash } from 'node:crypto';
import { PseudolabelError } from '../errors.js';

/** The most bytes of one block of memory. An image is in one block. */
const BLOCK_BYTES = 2 ** 30;

export class ImageStore {
  /** The images of a block. The last block may have fewer. */
  private readonly perBlock: number;
  #sha256: string | undefined;

  /**
   * Makes a store of existing blocks.
   * @param count the number of images
   * @param pixels the bytes of an image
   * @param blocks as allocate() makes them; another thread that gets them reads the same images
   */
  constructor(
    readonly count: number,
    readonly pixels: number,
    readonly blocks: readonly SharedArrayBuffer[],
  ) {
    this.perBlock = blocks.length > 1 ? blocks[0]!.byteLength / pixels : Math.max(1, count);
  }

  /** Makes room for this many images, all black. It takes memory only as images are written. Throws E_MEMORY. */
  static allocate(count: number, pixels: number, blockBytes = BLOCK_BYTES): ImageStore {
    const perBlock = Math.max(1, Math.floor(blockBytes / pixels));
    const blocks: SharedArrayBuffer[] = [];
    try {
      for (let first = 0; first < count; first += perBlock)
        blocks.push(new SharedArrayBuffer(Math.min(perBlock, count - first) * pixels));
    } catch (cause) {
      const message = `there is not enough memory for ${count} images of ${pixels} bytes`;
      const fix = 'Use fewer or smaller images (--size), or a machine with more memory.';
      throw new PseudolabelError('E_MEMORY', message, fix, { cause });
    }
    return new ImageStore(count, pixels, blocks);
  }

  /** Copies images that are one after the other. */
  static from(bytes: Uint8Array, pixels: number): ImageStore {
    const store = ImageStore.allocate(bytes.length / pixels, pixels);
    store.write(0, bytes);
    return store;
  }

  /**
   * The hex SHA-256 of all images. It is computed once, so that it is asked for when the images will no longer change.
   */
  get sha256(): string {
    if (this.#sha256 === undefined) {
      const hash = createHash('sha256');
      for (const view of this.views()) hash.update(view);
      this.#sha256 = hash.digest('hex');
    }
    return this.#sha256;
  }

  /** Sets the SHA-256, if the caller has computed it while the images came. */
  hasSha256(sha256: string): void {
    this.#sha256 = sha256;
  }

  /** Returns the bytes of an image: a view, not a copy. */
  at(image: number): Uint8Array {
    const { pixels, perBlock } = this;
    const block = Math.floor(image / perBlock);
    return new Uint8Array(this.blocks[block]!, (image - block * perBlock) * pixels, pixels);
  }

  /** Yields images [start, end) as views of one block each. */
  *views(start = 0, end = this.count): Generator<Uint8Array> {
    const { pixels, perBlock } = this;
    for (let first = start; first < end; ) {
      const block = Math.floor(first / perBlock);
      const last = Math.min(end, (block + 1) * perBlock);
      yield new Uint8Array(this.blocks[block]!, (first - block * perBlock) * pixels, (last - first) * pixels);
      first = last;
    }
  }

  /** Writes whole images from image `first` on. */
  write(first: number, bytes: Uint8Array): void {
    this.#sha256 = undefined;
    let from = 0;
    for (const view of this.views(first, first + bytes.length / this.pixels)) {
      view.set(bytes.subarray(from, from + view.length));
      from += view.length;
    }
  }

  /** Copies the images at `rows` to `to`, one after the other. */
  gather(rows: ArrayLike<number>, to = new Uint8Array(rows.length * this.pixels)): Uint8Array {
    for (let r = 0; r < rows.length; r++) to.set(this.at(rows[r]!), r * this.pixels);
    return to;
  }
}
