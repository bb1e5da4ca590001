// Lists folders, each once for one data set: all sources look into a folder until one recognises it, and one of pictures may have a million files.
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { cached } from '../cached.js';

/** Rejects with the system's error where a folder cannot be read, or is none. */
export type ListFolder = (folder: string) => Promise<readonly Dirent[]>;

/** Remembers what it has listed. To be used for one data set, at one time. */
export function folderLister(): ListFolder {
  const listed = new Map<string, Promise<readonly Dirent[]>>();
  return (folder) => cached(listed, folder, () => readdir(folder, { withFileTypes: true }));
}

/** The same, empty where a folder cannot be read. */
export const entriesOf = (folder: string, list: ListFolder): Promise<readonly Dirent[]> => list(folder).catch(() => []);
