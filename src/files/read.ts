// Reads files. A run, a model or a checkpoint may come from anybody: a file is measured before memory is taken for it.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const { O_RDONLY, O_NONBLOCK = 0 } = constants;
/** How a file is opened that may turn out to be a pipe: nobody may be at its other end. */
export const READING = O_RDONLY | O_NONBLOCK;

/** Of JSON in one another. Ours has six at most; a reader that follows thousands of them would run out of stack. */
const MOST_DEPTH = 64;

/** Bytes: options, results, tables. Pictures and metrics have limits of their own. */
export const MOST_JSON_BYTES = 2 ** 24;
/** A string cannot be longer. */
export const MOST_TEXT_BYTES = 2 ** 29 - 2 ** 10;

/** What is wrong with a file, as the end of a sentence that begins with its name. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** All bytes of a regular file. Throws Unreadable where it is none, or longer; the system's error where it cannot be read. */
export async function readBytes(path: string, mostBytes: number): Promise<Buffer> {
  const handle = await open(path, READING);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Unreadable('is not a file');
    if (found.size > mostBytes) throw new Unreadable(`has ${found.size} bytes where at most ${mostBytes} can be`);
    const bytes = Buffer.alloc(found.size);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await handle.close();
  }
}

export async function readText(path: string, mostBytes: number): Promise<string> {
  return (await readBytes(path, mostBytes)).toString('utf8');
}

/** Throws as readBytes(), and SyntaxError. What it holds is not checked. */
export async function readJson(path: string, mostBytes = MOST_JSON_BYTES): Promise<unknown> {
  return parseJson(await readText(path, mostBytes));
}

/** Throws Unreadable where it is nested too deep, and SyntaxError. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > MOST_DEPTH) throw new Unreadable(`is nested deeper than ${MOST_DEPTH}`);
  return JSON.parse(text);
}

/** The most brackets that are open at a time, but for those in texts. */
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

/** For a system call's error; of any other, its own words. */
export function whyNotRead(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return (code !== undefined && REASONS[code]) || (cause instanceof Error ? message : String(cause));
}

/** path: below dist/, as 'worker/thread-entry.js'. */
export function built(path: string): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../../dist/${path}` : `../../${path}`, import.meta.url);
}
