// Owns how a result reaches the disk: all of a file or nothing of it, even if the process or the machine stops half-way.
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PseudolabelError } from './errors.js';

/** Between a file's name and a random end in the name of its temporary file: what a killed process left behind is known by it. */
export const TEMPORARY = '.tmp-';

/**
 * Makes `data` the content of the file `path`, and its folder if need be. Whoever reads the file, at any time, finds the old content or
 * the new; when the promise resolves, the new content survives a power cut.
 * @param data text, bytes, or pieces of bytes to write one after the other, which are asked for as they are written
 * @throws PseudolabelError E_OUTPUT; the file is then as it was. What `data` throws goes through as it is.
 */
export async function writeAtomically(path: string, data: Iterable<Uint8Array> | Uint8Array | string): Promise<void> {
  const temporary = `${path}${TEMPORARY}${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await write(temporary, data);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw cannotWrite(path, error);
  }
}

/** A system call's error, which has its name (ENOENT) as `code`. */
export function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** The error to throw for one that was met while writing `path`: E_OUTPUT for a system call's, any other as it is. */
export function cannotWrite(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const fix = FIXES[error.code] ?? 'Check the path and its disk, or write somewhere else.';
  return new PseudolabelError('E_OUTPUT', `${path} cannot be written: ${error.message}`, fix, { cause: error });
}

const FREE_SPACE = 'Free some space there, or write to another disk.';
const RIGHTS = 'Check who may write to its folder, or write somewhere else.';
const NAME_TAKEN = 'A file has the name of a folder or the other way round: move it away, or give another path.';
const FIXES: Readonly<Record<string, string>> = {
  ENOSPC: FREE_SPACE,
  EDQUOT: FREE_SPACE,
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  EROFS: 'The disk is read-only: write somewhere else.',
  ENOTDIR: NAME_TAKEN,
  EISDIR: NAME_TAKEN,
  EEXIST: NAME_TAKEN,
};

async function write(path: string, data: Iterable<Uint8Array> | Uint8Array | string): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await writeFile(handle, data);
    await handle.sync(); // before the rename: else a power cut could leave the new name on missing content
  } finally {
    await handle.close();
  }
}

/** Makes a rename last, where the system can: Windows opens no folders, and some network disks do not sync them. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!isSystemError(error) || !['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP'].includes(error.code)) throw error;
  }
}
