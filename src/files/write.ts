// Writes files and folders; nothing else in the program does. A file is written as a whole or not at all, even if the process or the machine
// stops half-way, and never over a device, a pipe or a link.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PseudolabelError } from '../errors.js';
import { destinationOf, writeTo } from './destination.js';
import { cannotWrite, isSystemError, statusOf, unless, writing } from './write-errors.js';

const temporaryName = (path: string): string => `${path}.tmp-${randomBytes(4).toString('hex')}`;
/** The name of a file that is being written, and of the one that it becomes. */
export const TEMPORARY = /^(.+)\.tmp-[0-9a-f]{8}$/;

/** Text, bytes, or pieces of bytes that are asked for as they are written. */
export type Data = Iterable<Uint8Array> | Uint8Array | string;

/**
 * Makes `data` the content of the file `path`, which a user has named, and makes its folder if need be. Whoever reads
 * the file, at any time, finds the old content or the new. When the promise resolves, the new content survives a power
 * cut. Where the path is a link, the file that it leads to is replaced; a device, a pipe or a socket is written to.
 * @throws PseudolabelError E_OUTPUT; the file is then as it was. What `data` throws goes through as it is.
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
 * As writeAtomically(), for a file of our own: `name` within `folder`, such as 'plots/loss.svg'. Below the folder no
 * link is followed or replaced: somebody else may have made it, and it may lead anywhere.
 */
export function writeIn(folder: string, name: string, data: Data): Promise<void> {
  const path = join(folder, name);
  return writing(path, async () => {
    await refuseLinks(folder, name);
    await replace(path, data, undefined);
  });
}

/**
 * Throws E_OUTPUT where `name` or a folder on the way to it from `folder` is a link, or it is there and neither file
 * nor folder.
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

/** Adds to the end of a file of our own, which it makes if need be. Throws E_OUTPUT, also where it is a link. */
export function appendTo(path: string, data: Uint8Array | string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0 } = constants;
  return writing(path, async () => {
    const handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW);
    await writeFile(handle, data).finally(() => handle.close());
  });
}

/**
 * Makes a file of what `make` returns, whole from the first moment. Returns whether it was made: false where something
 * has its name already.
 * Throws E_OUTPUT.
 * @param mode permissions
 */
export async function createFile(path: string, make: () => string | Promise<string>, mode = 0o666): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    const text = await make();
    await makeFolders(dirname(path), mode === 0o666 ? 0o777 : 0o700);
    await write(temporary, text, mode);
    // Unlike a rename, a link replaces nothing. Where the disk has no links, the file is made first and written a
    // moment later.
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

/** Sets a file's time to now. Throws what the system says. */
export async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

/** Gives a file another name, which no other may have. Returns whether the file was still there. Throws E_OUTPUT. */
export function moveAway(path: string, to: string): Promise<boolean> {
  return writing(path, () => unless('ENOENT', rename(path, to)));
}

/** With the folders that it is in. Throws E_OUTPUT. */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  await writing(path, () => makeFolders(path, mode));
}

/**
 * Returns whether the folder was made: false where something has its name already. Of several processes that try at
 * once, one makes it.
 * Throws E_OUTPUT.
 */
export async function claimFolder(path: string): Promise<boolean> {
  await makeFolder(dirname(path));
  return writing(path, () => unless('EEXIST', mkdir(path)));
}

/** Makes a link of that path to a target, which is relative to the link's folder. Throws E_OUTPUT, also where something has its name. */
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

/** @param exactly permissions that the user's mask does not narrow */
async function write(path: string, data: Data, mode: number, exactly?: number): Promise<void> {
  const handle = await open(path, 'wx', mode);
  try {
    if (exactly !== undefined) await handle.chmod(exactly);
    await writeFile(handle, data);
    await handle.sync(); // before the rename: a power cut could leave the new name without its content
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
 * Makes a rename survive a power cut, where the system can: Windows opens no folders, some network disks do not sync
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

/** With those above it. Node's own recursive mkdir never ends where a folder is there and cannot hold others, as in /proc. */
async function makeFolders(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolders(dirname(path), mode);
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      // Another process may have made it since.
      if (!isSystemError(again) || again.code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw again;
    });
  }
}
