// Finds out where a user's path leads, and writes to what is no file: a device, a pipe, a socket, an output of this
// process.
import { once } from 'node:events';
import { constants, open as openDescriptor } from 'node:fs';
import { open, readlink, realpath, stat } from 'node:fs/promises';
import { createConnection, Socket } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PseudolabelError } from '../errors.js';

/** The most links that are followed, as on Linux. */
const MOST_LINKS = 40;
/** How long a named pipe may have no reader, and the time between two looks for one. */
const READER_MS = 60_000;
const LOOK_MS = 50;

/** Where a path leads. A file is replaced as a whole; anything else is written to and stays what it is. */
export type Destination =
  | {
      readonly kind: 'file';
      /** The path behind all links. */
      readonly path: string;
      /** Its permissions. undefined: the file does not exist yet. */
      readonly mode: number | undefined;
    }
  | { readonly kind: 'folder' | 'device' | 'pipe' | 'socket'; readonly path: string }
  | { readonly kind: 'output'; readonly path: string; readonly stream: NodeJS.WriteStream };

/** Follows links, also to a target that does not exist yet. Throws the system's error for a path that leads nowhere. */
export async function destinationOf(path: string, links = MOST_LINKS): Promise<Destination> {
  const found = await stat(path, { bigint: true }).catch(ifMissing);
  if (!found) {
    const link = await readlink(path).catch(() => undefined);
    if (link !== undefined && links > 0) return destinationOf(resolve(dirname(path), link), links - 1);
    return { kind: 'file', path: await realPathOf(path), mode: undefined };
  }
  for (const stream of [process.stdout, process.stderr]) {
    const output = await stat(`/dev/fd/${stream.fd}`, { bigint: true }).catch(() => undefined);
    // A user may redirect our output into the file that we write. Nothing in that file may be replaced then.
    if (output && output.dev === found.dev && output.ino === found.ino && !found.isCharacterDevice())
      return { kind: 'output', path, stream };
  }
  if (found.isFile()) return { kind: 'file', path: await realpath(path), mode: Number(found.mode) & 0o777 };
  if (found.isDirectory()) return { kind: 'folder', path };
  if (found.isFIFO()) return { kind: 'pipe', path };
  return { kind: found.isSocket() ? 'socket' : 'device', path };
}

/** Returns the identity of the file that a path leads to. Two paths with the same identity lead to the same file. */
export async function identityOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(ifMissing);
  if (found) return `${found.dev}:${found.ino}`;
  const destination = await destinationOf(path);
  return destination.path;
}

/** Writes to a destination that is no file. Throws the system's error, and E_OUTPUT for a pipe that nobody reads. */
export async function writeTo(
  { kind, ...destination }: Exclude<Destination, { kind: 'file' | 'folder' }>,
  pieces: Iterable<Uint8Array>,
): Promise<void> {
  if ('stream' in destination) return pipeline(Readable.from(pieces), unended(destination.stream));
  const { path } = destination;
  if (kind === 'socket') return send(createConnection(path), pieces);
  // As a socket, a pipe needs no thread that waits for its reader and keeps the process from ending.
  if (kind === 'pipe') return send(new Socket({ fd: await openPipe(path), readable: false, writable: true }), pieces);
  const handle = await open(path, constants.O_WRONLY);
  try {
    for (const piece of pieces) await handle.writeFile(piece);
  } finally {
    await handle.close();
  }
}

/** Resolves when the system has all data, whether or not the other side closes its end. */
async function send(socket: Socket, pieces: Iterable<Uint8Array>): Promise<void> {
  const sent = finished(socket, { readable: false });
  sent.catch(() => undefined); // rejects below
  try {
    for (const piece of pieces) if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), sent]);
    socket.end();
    await sent;
  } finally {
    socket.destroy();
  }
}

/**
 * Waits for the reader of a named pipe by polling, because a blocking open would wait in a thread that nothing can end.
 * Returns a descriptor.
 */
async function openPipe(path: string): Promise<number> {
  for (let waited = 0; ; waited += LOOK_MS) {
    try {
      return await promisify(openDescriptor)(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      if (waited >= READER_MS) throw unread(path, error);
    }
    await sleep(LOOK_MS);
  }
}

/** Returns a stream whose end leaves `stream` open, because the process continues to write to it. */
function unended(stream: NodeJS.WriteStream): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _, done) => void stream.write(chunk, (error) => done(error)),
  });
}

/** Returns the path behind all links, as far as it exists. */
export async function realPathOf(path: string): Promise<string> {
  const whole = resolve(path);
  const real = await realpath(whole).catch(ifMissing);
  if (real !== undefined || dirname(whole) === whole) return real ?? whole;
  return join(await realPathOf(dirname(whole)), basename(whole));
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

function unread(path: string, cause: unknown): PseudolabelError {
  const message = `${path} cannot be written: nobody has read this pipe for ${READER_MS / 1000} s`;
  return new PseudolabelError('E_OUTPUT', message, 'start its reader first, or give a file', { cause });
}
