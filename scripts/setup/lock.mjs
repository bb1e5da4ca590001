// One set-up at a time per user: two at once would take each other's half-written packages for finished ones.

import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError } from './command.mjs';

const BEAT = 2_000; // ms between signs of life of the holder
const STALE = 15_000; // ms without one, after which the holder is taken for dead
const DEADLINE = 30 * 60_000; // ms

/**
 * Does `work` while holding the lock file `path`. The holder touches the file while it lives; process ids would not do,
 * since the folder may be shared by containers or machines.
 * @template T
 * @param {string} path
 * @param {(message: string) => void} say told once if it has to wait
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 * @throws {SetupError} if the lock could not be had within the deadline, or its folder cannot be written
 */
export async function withLock(path, say, work) {
  await acquire(path, say);
  const release = () => rmSync(path, { force: true });
  const interrupted = (/** @type {NodeJS.Signals} */ signal) => process.exit(signal === 'SIGINT' ? 130 : 143);
  const beat = setInterval(() => touch(path), BEAT).unref();
  process.on('exit', release);
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.off('exit', release);
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    release();
  }
}

/** @param {string} path @param {(message: string) => void} say */
async function acquire(path, say) {
  const deadline = Date.now() + DEADLINE;
  for (let waits = 0; !create(path); waits += 1) {
    if (isStale(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (Date.now() > deadline)
      throw new SetupError(`another set-up is still at work; if there is none, delete ${path}`);
    if (waits === 0) say('waiting for another set-up to finish');
    await sleep(250);
  }
}

/** @param {string} path @returns {boolean} whether it is now ours */
function create(path) {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'EEXIST') return false;
    throw new SetupError(`cannot write to the cache (${message}); set XDG_CACHE_HOME to a folder that can be written`);
  }
}

/** @param {string} path */
function isStale(path) {
  const status = statSync(path, { throwIfNoEntry: false });
  return status !== undefined && Date.now() - status.mtimeMs > STALE;
}

/** @param {string} path */
function touch(path) {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // Removed by someone who took us for dead: nothing to keep alive.
  }
}
