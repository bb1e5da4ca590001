// Keeps two processes from working in one folder. A lock file names its holder, and is no longer valid when that
// process is gone.
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { PseudolabelError } from '../../src/errors.js';
import { MOST_JSON_BYTES, parseJson, readText } from '../../src/files/read.js';
import { removeFiles } from '../../src/files/remove.js';
import { createFile, moveAway, touch } from '../../src/files/write.js';

export const LOCK_FILE = 'lock.json';

/** Milliseconds between two times that the holder touches its lock. */
const BEAT_MS = 10_000;
/**
 * A holder on another machine counts as gone after so many milliseconds without a touch. This is longer than the clocks
 * of machines differ.
 */
const STALE_MS = 120_000;
/** The number of tries, because other processes may remove the same lock at the same time. */
const TRIES = 10;

/** The process that holds a lock. */
const HOLDER = z.object({
  id: z.string().max(100),
  pid: z.int().positive(),
  /**
   * When the process started, as the system writes it; null: unknown. Process ids are used again, but not with the same
   * start.
   */
  started: z.string().max(100).nullable(),
  /** Where the process id is valid: one boot of one machine, and one container. */
  machine: z.string().max(300),
  host: z.string().max(300),
  since: z.string().max(100),
});
type Holder = z.infer<typeof HOLDER>;

/** What was found in the place of the lock file. */
interface Found {
  /** undefined also for a lock that is damaged or is being written. */
  readonly holder: Holder | undefined;
  /** undefined if there is no lock. */
  readonly touchedAt: number | undefined;
}

/** What a lock needs to know about the machine and its processes. */
export interface Processes {
  readonly pid: number;
  readonly machine: string;
  /**
   * Returns the start of a process; undefined: there is no process with that id; null: there is one, with an unknown
   * start.
   */
  startOf(pid: number): string | null | undefined;
  /** Returns milliseconds, by the clock of the file system. */
  now(): number;
}

export const PROCESSES: Processes = {
  pid: process.pid,
  machine: machineName(),
  startOf,
  now: Date.now,
};

export class FolderLock {
  private readonly beat: NodeJS.Timeout;

  private constructor(
    private readonly folder: string,
    private readonly id: string,
  ) {
    const path = join(folder, LOCK_FILE);
    this.beat = setInterval(() => void touch(path).catch(() => undefined), BEAT_MS).unref();
  }

  /** Locks the folder. Throws E_LOCKED if a process that is still there works in the folder, and E_OUTPUT. */
  static async take(folder: string, processes: Processes = PROCESSES): Promise<FolderLock> {
    const { pid, machine, startOf, now } = processes;
    const id = randomUUID();
    const own: Holder = { id, pid, started: startOf(pid) ?? null, machine, host: hostname(), since: when(now()) };
    const path = join(folder, LOCK_FILE);
    for (let tried = 0; tried < TRIES; tried++) {
      if (await createFile(path, () => `${JSON.stringify(own)}\n`)) return new FolderLock(folder, id);
      const { holder, touchedAt } = await read(path);
      if (touchedAt === undefined) continue; // its holder has just ended
      if (!isGone(holder, now() - touchedAt, processes)) throw inUse(folder, holder);
      await takeAway(folder, holder);
    }
    throw inUse(folder, undefined);
  }

  /**
   * Throws E_LOCKED if another process took the lock because it assumed that this one was gone. A folder that was
   * removed is no error here.
   */
  async check(): Promise<void> {
    const { holder } = await read(join(this.folder, LOCK_FILE));
    if (holder && holder.id !== this.id) throw inUse(this.folder, holder);
  }

  async release(): Promise<void> {
    clearInterval(this.beat);
    const { holder } = await read(join(this.folder, LOCK_FILE));
    if (holder?.id === this.id) await removeFiles(this.folder, [LOCK_FILE]);
  }
}

function isGone(holder: Holder | undefined, silentMs: number, { machine, startOf }: Processes): boolean {
  if (holder?.machine === machine) {
    const started = startOf(holder.pid);
    if (started === undefined) return true;
    if (started !== null && holder.started !== null) return started !== holder.started;
  }
  return silentMs > STALE_MS;
}

/** Removes the lock of a holder that is gone. If another process was faster, its new lock is put back. */
async function takeAway(folder: string, gone: Holder | undefined): Promise<void> {
  const path = join(folder, LOCK_FILE);
  const aside = `${LOCK_FILE}-${randomUUID()}`;
  if (!(await moveAway(path, join(folder, aside)))) return;
  const moved = await read(join(folder, aside));
  if (moved.holder && moved.holder.id !== gone?.id) await createFile(path, () => `${JSON.stringify(moved.holder)}\n`);
  await removeFiles(folder, [aside]);
}

async function read(path: string): Promise<Found> {
  try {
    const { mtimeMs } = await stat(path);
    const text = await readText(path, MOST_JSON_BYTES);
    return { holder: parsed(text), touchedAt: mtimeMs };
  } catch {
    return { holder: undefined, touchedAt: undefined };
  }
}

function parsed(text: string): Holder | undefined {
  try {
    return HOLDER.parse(parseJson(text));
  } catch {
    return undefined;
  }
}

function inUse(folder: string, holder: Holder | undefined): PseudolabelError {
  const who = holder
    ? `process ${holder.pid} on ${holder.host}, since ${holder.since}`
    : 'a process that has just begun';
  const stop = holder ? ` (kill ${holder.pid})` : '';
  const fix = `wait until it ends, or stop it${stop}, which saves a checkpoint; or give another folder`;
  return new PseudolabelError('E_LOCKED', `${folder} is in use by ${who}`, fix);
}

const when = (now: number): string => new Date(now).toISOString();

/** Returns the boot id and the namespace of process ids on Linux, and the name of the host on other systems. */
function machineName(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function startOf(pid: number): string | null | undefined {
  try {
    // The program's name, in brackets, may hold any character, so the fields are counted after it. The start is field
    // 22 of all.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? undefined : fields[19]!;
  } catch {
    return isThere(pid) ? null : undefined;
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0); // Signal 0 sends nothing.
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
