// Lists folders, each once per data set. All sources look into a folder until one recognises it, and a folder of
// pictures may have a million files.
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { cached } from '../cached.js';

/** Lists a folder. Rejects with the system's error if it cannot be read, or is no folder. */
export type ListFolder = (folder: string) => Promise<readonly Dirent[]>;

/** Returns a function that caches its listings. It is used for one data set, at one time. */
export function folderLister(): ListFolder {
  const listed = new Map<string, Promise<readonly Dirent[]>>();
  return (folder) => cached(listed, folder, () => readdir(folder, { withFileTypes: true }));
}

/** Lists a folder. The result is empty if the folder cannot be read. */
export const entriesOf = (folder: string, list: ListFolder): Promise<readonly Dirent[]> => list(folder).catch(() => []);
