// Sets of images for tests.
import { ImageStore } from '../src/data/image-store.js';

/** A copy of the first images. */
export const firstImages = (images: ImageStore, count: number): ImageStore =>
  ImageStore.from(Buffer.concat([...images.views(0, count)]), images.pixels);
