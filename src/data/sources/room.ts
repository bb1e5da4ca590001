// Allocates memory for the images of a file, if the machine has that much left, whatever a header declares.
import { PseudolabelError } from '../../errors.js';
import { ImageStore } from '../image-store.js';

/** Allocates the images. Throws E_MEMORY, naming the file. */
export function roomFor(path: string, count: number, pixels: number): ImageStore {
  checkRoom(path, count, pixels);
  return ImageStore.allocate(count, pixels);
}

/** Throws E_MEMORY, naming the file, if there is not enough memory for this many images. */
export function checkRoom(path: string, count: number, pixels: number, free = process.availableMemory()): void {
  const bytes = count * pixels;
  if (bytes <= free) return;
  throw new PseudolabelError(
    'E_MEMORY',
    `${path} has ${count} images of ${pixels} bytes, ${gib(bytes)} GiB in all, where ${gib(free)} GiB of memory are free`,
    'Use fewer or smaller images (--size 64x64, for example), or a machine with more memory.',
  );
}

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
