// Reads files. A run, a model or a checkpoint may come from anybody, so that the size of a file is checked before
// memory is allocated for it.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const { O_RDONLY, O_NONBLOCK = 0 } = constants;
/** Flags that open a file without waiting, because it may be a pipe that nobody writes to. */
export const READING = O_RDONLY | O_NONBLOCK;

/** The most levels of nested JSON. Ours has at most six; thousands would overflow a reader's stack. */
const MOST_DEPTH = 64;

/** The most bytes of options, results and tables. Pictures and metrics have limits of their own. */
export const MOST_JSON_BYTES = 2 ** 24;
/** The most bytes of a text. No string can be longer. */
export const MOST_TEXT_BYTES = 2 ** 29 - 2 ** 10;

/** Thrown for a file that cannot be read. The message is the end of a sentence that begins with the file's name. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/**
 * Returns all bytes of a regular file. Throws Unreadable if it is no regular file or is too long, and the system's
 * error if it cannot be read.
 */
export async function readBytes(path: string, mostBytes: number): Promise<Buffer> {
  const handle = await open(path, READING);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Unreadable('is not a file');
    if (found.size > mostBytes) throw new Unreadable(`has ${found.size} bytes where at most ${mostBytes} can be`);
    const bytes = Buffer.alloc(found.size);
    return bytes.subarray(0, await fill(handle, 0, bytes));
  } finally {
    await handle.close();
  }
}

/** Fills `bytes` with those of the file from `position` on. Returns the number that there were before its end. */
export async function fill(handle: FileHandle, position: number, bytes: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

export async function readText(path: string, mostBytes: number): Promise<string> {
  return (await readBytes(path, mostBytes)).toString('utf8');
}

/** Reads JSON without checking its content. Throws as readBytes() does, and SyntaxError. */
export async function readJson(path: string, mostBytes = MOST_JSON_BYTES): Promise<unknown> {
  return parseJson(await readText(path, mostBytes));
}

/** Parses JSON. Throws Unreadable if it is nested too deep, and SyntaxError. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > MOST_DEPTH) throw new Unreadable(`is nested deeper than ${MOST_DEPTH}`);
  return JSON.parse(text);
}

/** Returns the most brackets that are open at a time, without those in texts. */
function depthOf(json: string): number {
  let [depth, most, isText] = [0, 0, false];
  for (let i = 0; i < json.length; i++) {
    const character = json[i]!;
    if (isText && character === '\\') i++;
    else if (character === '"') isText = !isText;
    else if (isText) continue;
    else if (character === '[' || character === '{') most = Math.max(most, ++depth);
    else if (character === ']' || character === '}') depth--;
  }
  return most;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'too many files are open',
  EIO: 'its disk does not give it back',
};

/** Returns why a path cannot be read: in words for a system call's code, and the message for any other error. */
export function whyNotRead(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return (code !== undefined && REASONS[code]) || (cause instanceof Error ? message : String(cause));
}

/**
 * Returns the URL of a built file. Threads and WebAssembly are always loaded from the build, even when tests run the
 * sources.
 * @param path below dist/
 */
export function built(path: string): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../../dist/${path}` : `../../${path}`, import.meta.url);
}
