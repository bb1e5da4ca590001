// Writes files and folders; no other code of the program does. A file is written as a whole or not at all, even if the
// process or the machine stops half-way, and never over a device, a pipe or a link.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PseudolabelError } from '../errors.js';
import { destinationOf, writeTo } from './destination.js';
import { cannotWrite, isSystemError, statusOf, unless, writing } from './write-errors.js';

const temporaryName = (path: string): string => `${path}.tmp-${randomBytes(4).toString('hex')}`;
/** Matches the name of a file that is being written, and captures the name that it gets. */
export const TEMPORARY = /^(.+)\.tmp-[0-9a-f]{8}$/;

/** Text, bytes, or pieces of bytes that are made as they are written. */
export type Data = Iterable<Uint8Array> | Uint8Array | string;

/**
 * Makes `data` the content of the file `path`, which a user has named. It makes the file's folder if necessary. A
 * reader of the file finds the old content or the new, at any time. When the promise resolves, the new content survives
 * a power cut. If the path is a link, its target is replaced; a device, a pipe or a socket is written to.
 * @throws PseudolabelError E_OUTPUT; the file is then unchanged. What `data` throws is thrown unchanged.
 */
export function writeAtomically(path: string, data: Data): Promise<void> {
  return writing(path, async () => {
    const destination = await destinationOf(path);
    if (destination.kind === 'folder') throw systemError('EISDIR', path);
    if (destination.kind === 'file') await replace(destination.path, data, destination.mode);
    else await writeTo(destination, piecesOf(data));
  });
}

/**
 * Does the same for a file of our own: `name` within `folder`, such as 'plots/loss.svg'. Below the folder no link is
 * followed or replaced, because somebody else may have made it, and it may lead anywhere.
 */
export function writeIn(folder: string, name: string, data: Data): Promise<void> {
  const path = join(folder, name);
  return writing(path, async () => {
    await refuseLinks(folder, name);
    await replace(path, data, undefined);
  });
}

/**
 * Throws E_OUTPUT if `name`, or a folder on the way to it from `folder`, is a link, or if it exists and is neither a
 * file nor a folder.
 */
export async function refuseLinks(folder: string, name: string): Promise<void> {
  let path = folder;
  for (const part of name.split('/')) {
    path = join(path, part);
    const found = await statusOf(path);
    if (!found || found.isFile() || found.isDirectory()) continue;
    const what = found.isSymbolicLink() ? 'a link' : 'neither a file nor a folder';
    const fix = `move it away: what belongs to ${folder} is written in that folder, and nowhere else`;
    throw new PseudolabelError('E_OUTPUT', `${path} cannot be written: it is ${what}`, fix);
  }
}

/** Appends to a file of our own, which is made if necessary. Throws E_OUTPUT, also if it is a link. */
export function appendTo(path: string, data: Uint8Array | string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0 } = constants;
  return writing(path, async () => {
    const handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW);
    await writeFile(handle, data).finally(() => handle.close());
  });
}

/**
 * Makes a file with the content that `make` returns; it is complete as soon as it exists. Returns whether it was made:
 * false if its name is taken.
 * Throws E_OUTPUT.
 * @param mode permissions
 */
export async function createFile(path: string, make: () => string | Promise<string>, mode = 0o666): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    const text = await make();
    await makeFolders(dirname(path), mode === 0o666 ? 0o777 : 0o700);
    await write(temporary, text, mode);
    // Unlike a rename, a link replaces nothing. If the disk has no links, the file is made first and written a moment
    // later.
    await link(temporary, path).catch((error: unknown) => {
      if (!isSystemError(error) || !['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(error.code)) throw error;
      return write(path, text, mode);
    });
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === 'EEXIST') return false;
    throw cannotWrite(path, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** Sets a file's time to now. Throws the system's error. */
export async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

/** Gives a file another name, which must be free. Returns whether the file still existed. Throws E_OUTPUT. */
export function moveAway(path: string, to: string): Promise<boolean> {
  return writing(path, () => unless('ENOENT', rename(path, to)));
}

/** Makes a folder, and the folders that it is in. Throws E_OUTPUT. */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  await writing(path, () => makeFolders(path, mode));
}

/**
 * Makes a folder. Returns whether it was made: false if its name is taken. Of several processes that try at the same
 * time, one makes it.
 * Throws E_OUTPUT.
 */
export async function claimFolder(path: string): Promise<boolean> {
  await makeFolder(dirname(path));
  return writing(path, () => unless('EEXIST', mkdir(path)));
}

/**
 * Makes a link at a path to a target, which is relative to the link's folder. Throws E_OUTPUT, also if the name is
 * taken.
 */
export async function makeLink(path: string, target: string): Promise<void> {
  await writing(path, () => symlink(target, path));
}

async function replace(path: string, data: Data, mode: number | undefined): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await makeFolders(dirname(path));
    await write(temporary, data, mode ?? 0o666, mode);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // only the first error matters
    throw error;
  }
}

/**
 * Writes a file that must not exist yet.
 * @param exactly permissions that the user's mask does not narrow
 */
async function write(path: string, data: Data, mode: number, exactly?: number): Promise<void> {
  const handle = await open(path, 'wx', mode);
  try {
    if (exactly !== undefined) await handle.chmod(exactly);
    await writeFile(handle, data);
    await handle.sync(); // before the rename, because a power cut could leave the new name without its content
  } finally {
    await handle.close();
  }
}

const piecesOf = (data: Data): Iterable<Uint8Array> =>
  typeof data === 'string' ? [Buffer.from(data)] : data instanceof Uint8Array ? [data] : data;

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: it is a folder`), { code, syscall: 'open', path });
}

/**
 * Makes a rename survive a power cut if the system can. Windows opens no folders, and some network disks do not sync
 * them.
 */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!isSystemError(error) || !['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP'].includes(error.code)) throw error;
  }
}

/**
 * Makes a folder and those above it. Node's own recursive mkdir never ends if a folder exists and cannot hold others,
 * as in /proc.
 */
async function makeFolders(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolders(dirname(path), mode);
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      // Another process may have made it meanwhile.
      if (!isSystemError(again) || again.code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw again;
    });
  }
}
