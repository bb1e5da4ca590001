// Caches decoded images, so that the next start need not decode them: one file for each key, in the user's cache folder
// or another.
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PseudolabelError } from '../errors.js';
import { Unreadable, whyNotRead } from '../files/read.js';
import { removeFiles } from '../files/remove.js';
import { touch, writeAtomically } from '../files/write.js';
import { isSystemError } from '../files/write-errors.js';
import { type Packed, packedBytes, readPacked } from './packed.js';

/** The version of the cache. It changes if the same pictures give other pixels, or if the form of the files changes. */
const VERSION = 2;
const NAME = /^[0-9a-f]{64}\.images$/;
/** The most bytes of all files together. Beyond that, the files that were not used for the longest time are removed. */
const MOST_BYTES = 2 ** 35;

/** Returns the folder that the XDG base directory specification says. */
export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pseudolabel', 'images');

/** Returns the path of the file for the images of these keys and options. */
export function cachePath(folder: string, parts: readonly unknown[]): string {
  const key = createHash('sha256').update(JSON.stringify([VERSION, ...parts]));
  return join(folder, `${key.digest('hex')}.images`);
}

export interface Cached {
  readonly packed: Packed | undefined;
  /** What is wrong with the cached file, if anything is. */
  readonly note: string | undefined;
}

/** Reads a cached file. Throws E_MEMORY; any other fault is only a note. */
export async function fromCache(path: string): Promise<Cached> {
  try {
    const packed = await readPacked(path);
    await touch(path).catch(() => undefined); // the file may belong to another user
    return { packed, note: undefined };
  } catch (error) {
    if (error instanceof PseudolabelError) throw error;
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return { packed: undefined, note: undefined };
    const what = error instanceof Unreadable ? error.message : `cannot be read: ${whyNotRead(error)}`;
    return { packed: undefined, note: `${path} ${what}: the pictures are decoded again` };
  }
}

/** Writes a cached file. Returns a note if that fails. Throws the signal's reason when it aborts. */
export async function toCache(
  path: string,
  packed: Packed,
  signal: AbortSignal | undefined,
  mostBytes = MOST_BYTES,
): Promise<string | undefined> {
  try {
    await writeAtomically(path, interruptible(packedBytes(packed), signal));
    await removeUnused(path, mostBytes);
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof PseudolabelError) && !isSystemError(error)) throw error;
    return `decoded images are not kept, so that the next start decodes them again: ${error.message}`;
  }
}

/**
 * Removes the oldest files of the cache, except for the one at `path`, until all together have at most `mostBytes`.
 * Throws E_OUTPUT.
 */
async function removeUnused(path: string, mostBytes: number): Promise<void> {
  const folder = dirname(path);
  const names = (await readdir(folder)).filter((name) => NAME.test(name) && name !== basename(path));
  const files = await Promise.all(
    names.map(async (name) => {
      // Another process may have removed it.
      const { size, mtimeMs } = await stat(join(folder, name)).catch(() => ({ size: 0, mtimeMs: 0 }));
      return { name, size, mtimeMs };
    }),
  );
  let kept = (await stat(path)).size;
  const unused = files
    .sort((a, b) => b.mtimeMs - a.mtimeMs)
    .filter(({ size }) => {
      kept += size;
      return kept > mostBytes;
    });
  const gone = unused.map(({ name }) => name);
  await removeFiles(folder, gone);
}

export function* interruptible(pieces: Iterable<Uint8Array>, signal: AbortSignal | undefined): Generator<Uint8Array> {
  for (const piece of pieces) {
    signal?.throwIfAborted();
    yield piece;
  }
}
