// Makes sets of images for tests.
import { ImageStore } from '../src/data/image-store.js';
import { Images } from '../src/data/images.js';

/** Returns a store of these images, in blocks of this number of bytes. */
export function storeOf(bytes: Uint8Array, pixels: number, blockBytes?: number): ImageStore {
  const store = ImageStore.allocate(bytes.length / pixels, pixels, blockBytes);
  store.write(0, bytes);
  return store;
}

/** Returns all images of a store, in the order of steps. */
export const imagesOf = (store: ImageStore): Images => new Images(store.pixels, [{ store }]);

export const NO_IMAGES = new Images(0, []);

/** Returns a copy of the first images. */
export const firstImages = (images: ImageStore, count: number): ImageStore =>
  ImageStore.from(Buffer.concat([...images.views(0, count)]), images.pixels);
