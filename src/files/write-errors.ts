// The errors of the system when a file cannot be written, and the error that a user gets for them.
import type { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { PseudolabelError } from '../errors.js';

/** Returns whether an error is a system call's, which has a name such as ENOENT as its `code`. */
export function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** Runs `work`, which writes `path`. Throws as cannotWrite() says. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Returns whether the work was done: false if the system reports this code. */
export async function unless(code: string, work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    (error: unknown) => {
      if (isSystemError(error) && error.code === code) return false;
      throw error;
    },
  );
}

/**
 * Returns the error to throw for one that was met while writing `path`: E_OUTPUT for a system call's, and any other
 * unchanged.
 */
export function cannotWrite(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const fix = FIXES[error.code] ?? 'Check the path and its disk, or write somewhere else.';
  return new PseudolabelError('E_OUTPUT', `${path} cannot be written: ${error.message}`, fix, { cause: error });
}

const FREE_SPACE = 'Free some space there, or write to another disk.';
const RIGHTS = 'Check who may write to its folder, or write somewhere else.';
const NAME_TAKEN = 'A file has the name of a folder or the other way round: move it away, or give another path.';
const LINK = 'It is a link, or links lead in a circle: move it away, or give another path.';
const FIXES: Readonly<Record<string, string>> = {
  ENOSPC: FREE_SPACE,
  EDQUOT: FREE_SPACE,
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  EROFS: 'The disk is read-only: write somewhere else.',
  ENOTDIR: NAME_TAKEN,
  EISDIR: NAME_TAKEN,
  EEXIST: NAME_TAKEN,
  ELOOP: LINK,
};

/** Returns the status, or undefined if the path does not exist. */
export async function statusOf(path: string): Promise<Stats | undefined> {
  return lstat(path).catch((error: unknown) => {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw cannotWrite(path, error);
  });
}
