// Tests that one process works in a folder at a time, and that a lock ends with the process that took it.
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FolderLock, LOCK_FILE, PROCESSES, type Processes } from '../../../coordinator/runs/lock.js';
import { folderOfTest } from '../../folders.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('lock');
});

/** Makes a machine on which these processes run, by number and start. */
function machine(pid: number, started: Readonly<Record<number, string | null>>, name = 'here'): Processes {
  return { pid, machine: name, startOf: (each) => started[each], now: Date.now };
}

async function take(processes: Processes): Promise<FolderLock> {
  const lock = await FolderLock.take(folder, processes);
  onTestFinished(() => lock.release());
  return lock;
}

const silent = async (seconds: number): Promise<void> => {
  const then = new Date(Date.now() - seconds * 1000);
  await utimes(join(folder, LOCK_FILE), then, then);
};

describe('a lock of a folder', () => {
  it('is refused while its holder lives, with the number of the process, its machine and since when (case 8)', async () => {
    await take(machine(7, { 7: 'noon' }));
    await silent(1000); // The process has no time to touch its lock, but it lives.
    const error = await FolderLock.take(folder, machine(8, { 7: 'noon', 8: 'one' })).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'E_LOCKED', fix: expect.stringContaining('kill 7') });
    expect(String(error)).toMatch(/in use by process 7 on .+, since \d{4}-\d\d-\d\dT/);
  });

  it('does not hold when the process is gone, or its number is that of another process now (case 8)', async () => {
    await take(machine(7, { 7: 'noon' }));
    await take(machine(8, { 8: 'one' }));
    await take(machine(9, { 8: 'two', 9: 'three' }));
    expect(JSON.parse(await readFile(join(folder, LOCK_FILE), 'utf8'))).toMatchObject({ pid: 9 });
    expect(await readdir(folder)).toEqual([LOCK_FILE]);
  });

  it('of another machine, or of one that has started again, holds while it is touched (case 8)', async () => {
    await take(machine(7, { 7: 'noon' }, 'there'));
    const other = machine(7, { 7: 'noon' });
    await silent(60);
    await expect(FolderLock.take(folder, other)).rejects.toMatchObject({ code: 'E_LOCKED' });
    await silent(180);
    await take(other);
  });

  it('holds while it is touched where nobody knows when a process started (case 8)', async () => {
    await take(machine(7, { 7: null }));
    await expect(FolderLock.take(folder, machine(8, { 7: null, 8: null }))).rejects.toMatchObject({ code: 'E_LOCKED' });
    await silent(180);
    await take(machine(8, { 7: null, 8: null }));
  });

  it('that is damaged holds as long as one may still be writing it (case 8)', async () => {
    await writeFile(join(folder, LOCK_FILE), '{');
    await expect(FolderLock.take(folder)).rejects.toMatchObject({ code: 'E_LOCKED' });
    await silent(180);
    await take(PROCESSES);
  });

  it('goes to one of those who find it at the same time (case 8)', async () => {
    await take(machine(7, { 7: 'noon' }));
    const started = Object.fromEntries(Array.from({ length: 8 }, (_, each) => [10 + each, 'one']));
    const taken = await Promise.allSettled(Object.keys(started).map((pid) => take(machine(Number(pid), started))));
    const locks = taken.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const held = await Promise.allSettled(locks.map((lock) => lock.check()));
    expect(held.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('tells its holder when another took it for gone, and leaves that lock alone', async () => {
    const first = await take(machine(7, { 7: 'noon' }, 'there'));
    await silent(180);
    await take(machine(8, { 8: 'one' }));
    await expect(first.check()).rejects.toMatchObject({ code: 'E_LOCKED' });
    await first.release();
    expect(await readdir(folder)).toEqual([LOCK_FILE]);
  });

  it('leaves a folder that is removed to those who write there', async () => {
    const lock = await take(PROCESSES);
    await rm(join(folder, LOCK_FILE));
    await lock.check();
    await lock.release();
  });

  it('knows by itself that this process lives, and that none of a number too large does', async () => {
    await take(PROCESSES);
    await expect(FolderLock.take(folder)).rejects.toMatchObject({ code: 'E_LOCKED' });
    expect(PROCESSES.startOf(2 ** 30)).toBeUndefined();
  });
});
