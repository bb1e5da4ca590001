// Sets of images for tests.
import { ImageStore } from '../src/data/image-store.js';
import { Images } from '../src/data/images.js';

/** A store of these images, in blocks of so many bytes. */
export function storeOf(bytes: Uint8Array, pixels: number, blockBytes?: number): ImageStore {
  const store = ImageStore.allocate(bytes.length / pixels, pixels, blockBytes);
  store.write(0, bytes);
  return store;
}

/** All of a store, as steps number them. */
export const imagesOf = (store: ImageStore): Images => new Images(store.pixels, [{ store }]);

export const NO_IMAGES = new Images(0, []);

/** A copy of the first images. */
export const firstImages = (images: ImageStore, count: number): ImageStore =>
  ImageStore.from(Buffer.concat([...images.views(0, count)]), images.pixels);
