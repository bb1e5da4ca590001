// Images as steps number them: all of a store, or a selection of it in some order, followed by those of other stores.
// All threads of a machine read them in place, so that splitting a data set copies no image.
import { ImageStore } from './image-store.js';

export interface Selection {
  readonly store: ImageStore;
  /** The positions of the images in the store, in shared memory. undefined: all, in their order. */
  readonly rows?: Uint32Array | undefined;
}

export class Images {
  readonly count: number;

  constructor(
    /** The bytes of an image. */
    readonly pixels: number,
    readonly parts: readonly Selection[],
  ) {
    this.count = parts.reduce((sum, part) => sum + countOf(part), 0);
  }

  /** Makes room for images that come later (ImageStore.allocate). Throws E_MEMORY. */
  static room(count: number, pixels: number): Images {
    return new Images(pixels, [{ store: ImageStore.allocate(count, pixels) }]);
  }

  /** Restores the images in another thread, because objects lose their methods when they are sent. */
  static revived({ pixels, parts }: Pick<Images, 'pixels' | 'parts'>): Images {
    const revive = ({ store: { count, pixels, blocks }, rows }: Selection): Selection => ({
      store: new ImageStore(count, pixels, blocks),
      rows,
    });
    return new Images(pixels, parts.map(revive));
  }

  /** Returns the bytes of an image: a view, not a copy. */
  at(position: number): Uint8Array {
    let first = 0;
    for (const part of this.parts) {
      const end = first + countOf(part);
      if (position < end) return part.store.at(part.rows?.[position - first] ?? position - first);
      first = end;
    }
    throw new RangeError(`there is no image ${position}: there are ${this.count}`);
  }

  /** Copies the images at these positions to `to`, one after the other. */
  gather(positions: ArrayLike<number>, to: Uint8Array): void {
    for (let i = 0; i < positions.length; i++) to.set(this.at(positions[i]!), i * this.pixels);
  }

  /** Copies images [start, end). */
  copy(start: number, end: number): Uint8Array {
    const to = new Uint8Array((end - start) * this.pixels);
    for (let image = start; image < end; image++) to.set(this.at(image), (image - start) * this.pixels);
    return to;
  }

  /** Writes bytes from byte `offset` of image `first` on: whole images, or a part of one. */
  write(first: number, offset: number, bytes: Uint8Array): void {
    const { pixels } = this;
    for (let from = 0, image = first, at = offset; from < bytes.length; image++, at = 0) {
      const part = bytes.subarray(from, from + pixels - at);
      this.at(image).set(part, at);
      from += part.length;
    }
  }
}

const countOf = ({ store, rows }: Selection): number => rows?.length ?? store.count;

/** Returns a copy that threads share. */
export function sharedRows(rows: Uint32Array): Uint32Array {
  const shared = new Uint32Array(new SharedArrayBuffer(rows.byteLength));
  shared.set(rows);
  return shared;
}
