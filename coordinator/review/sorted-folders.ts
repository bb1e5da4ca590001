// Writes images into a folder for each class: links to their files, or PNGs if they are not files of their own.
import { lstat, readdir, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { PseudolabelError } from '../../src/errors.js';
import { makeFolder, makeLink, writeIn } from '../../src/files/write.js';
import { classFolders } from '../../src/labelling/class-folders.js';
import { idOf } from '../../src/labelling/labelled.js';
import { pngOf } from '../../src/reporting/image.js';
import type { Review } from '../../src/reporting/review-page.js';

/** Throws E_USAGE if the folder is not empty. */
export async function checkEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new PseudolabelError('E_USAGE', `--sort-into ${folder}: it is no folder`, 'give the path of a new folder');
  });
  if (names.length > 0)
    throw new PseudolabelError('E_USAGE', `--sort-into ${folder}: it is not empty`, 'give the path of a new folder');
}

/**
 * Returns what was written. Throws E_OUTPUT.
 * @param data the folder that the images are in, if each is a file of its own
 */
export async function sortInto(
  folder: string,
  { labelled, pixels, size }: Omit<Review, 'images' | 'name'>,
  data: string | undefined,
): Promise<'links' | 'pictures'> {
  const from = await folderOfFiles(data, labelled.ids);
  const paths = classFolders(labelled, from === undefined ? '.png' : undefined);
  await makeFolder(folder);
  const root = await realpath(resolve(folder));
  for (const name of new Set(paths.map((path) => dirname(path)))) await makeFolder(join(root, name));
  for (const [image, path] of paths.entries()) {
    if (from === undefined) await writeIn(root, path, pngOf(pixels(image), size));
    else {
      const target = join(from, idOf(labelled, image));
      await makeLink(join(root, path), relative(dirname(join(root, path)), target));
    }
  }
  return from === undefined ? 'pictures' : 'links';
}

/** Returns the folder whose files the images are, with all links resolved, or undefined if they are not files. */
async function folderOfFiles(
  data: string | undefined,
  ids: readonly string[] | undefined,
): Promise<string | undefined> {
  const [first] = ids ?? [];
  if (data === undefined || first === undefined) return undefined;
  const isThere = await lstat(join(data, first)).then(
    () => true,
    () => false,
  );
  return isThere ? realpath(data) : undefined;
}
