// Removes files, folders, and what killed processes have left. A link itself is removed, never its target.
import { mkdtemp, readdir, rm, rmdir, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEMPORARY } from './write.js';
import { statusOf, unless, writing } from './write-errors.js';

/** Removes a folder. Does nothing if it is not empty or does not exist. */
export async function removeEmptyFolder(path: string): Promise<void> {
  await rmdir(path).catch(() => undefined);
}

/** Removes files, but no targets of links and no folders. Throws E_OUTPUT. */
export function removeFiles(folder: string, names: readonly string[]): Promise<void> {
  return writing(folder, async () => {
    for (const name of names) await unless('ENOENT', unlink(join(folder, name)));
  });
}

/** Removes a file, or a folder with everything in it, but no targets of links. Throws E_OUTPUT. */
export function removeTree(path: string): Promise<void> {
  return writing(path, () => rm(path, { recursive: true, force: true }));
}

/**
 * Removes what killed processes had begun to write to `folder` and to folders in it. No link is followed, and only
 * files with our own names are removed.
 * @param places for '' and for the names of folders in it: the names of the files that we write there
 */
export async function removeTemporary(folder: string, places: Readonly<Record<string, RegExp>>): Promise<void> {
  for (const [name, ours] of Object.entries(places)) {
    const place = join(folder, name);
    if (name !== '' && !(await statusOf(place))?.isDirectory()) continue;
    const left = (await readdir(place, { withFileTypes: true })).filter(
      (item) => item.isFile() && ours.test(TEMPORARY.exec(item.name)?.[1] ?? ''),
    );
    const names = left.map((item) => item.name);
    await removeFiles(place, names);
  }
}

/** Makes a folder among the system's temporary files for `work`, and removes it afterwards. */
export async function withTemporaryFolder<T>(name: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `pseudolabel-${name}-`));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
