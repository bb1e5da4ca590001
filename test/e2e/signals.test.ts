// Tests the ways in which shells, terminals, npm and the system may stop a training. Nothing is lost, and no process is
// left.
import { type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FolderLock } from '../../coordinator/runs/lock.js';
import { folderOfFile } from '../folders.js';
import { type Ended, expectError, json, pseudolabel, type Spawn, start } from './command.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const root = folderOfFile('signals');

/** Returns the arguments of a run of thousands of steps. By default nothing is saved before it is stopped. */
const training = (out: string, every = 1_000_000): string[] => [
  ...['train', '--scenario', 'pl', '--hidden', '64', '--workers', '1', '--out', out],
  ...['--checkpoint-every', `${every}`, '--checkpoint-seconds', '0', '--log-format', 'json'],
];
const processOf = async (out: string): Promise<number> => (await json<{ pid: number }>(out, 'lock.json')).pid;

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts a process in a group of its own, as a shell starts a job. The group ends with the test in any case. */
const asJob: Spawn = (program, args, options) => {
  const child = spawn(program, args, { ...options, detached: true });
  onTestFinished(() => {
    if (isThere(-child.pid!)) process.kill(-child.pid!, 'SIGKILL');
  });
  return child;
};

/** Starts the command by another program: `words` come before it. */
const through =
  (...words: readonly string[]): Spawn =>
  (program: string, args: readonly string[], options: SpawnOptions) =>
    asJob(words[0]!, [...words.slice(1), program, ...args], options);

async function expectSaved(out: string): Promise<void> {
  expect(await readdir(join(out, 'checkpoints'))).toHaveLength(1);
  expect(existsSync(join(out, 'lock.json'))).toBe(false);
}

function expectInterrupted({ exit, stderr }: Ended): void {
  expect(stderr).toContain('"code":"E_INTERRUPTED"');
  expect(exit).toBe(130);
}

const BEGUN = '"event":"stage"';
const SAVED = '"event":"saved"';
/** The environment of a user, whatever started the tests. In it the launcher starts a child. */
const PLAIN = { _: '', PSEUDOLABEL_HANGUP: undefined, MALLOC_TOP_PAD_: undefined };

describe('a training', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'saves a checkpoint and ends with 130 when its group gets %s, as from a terminal (case 6)',
    async (signal) => {
      const out = join(root, signal);
      const { child, says, ended } = start(training(out), PLAIN, asJob);
      await says(BEGUN);
      process.kill(-child.pid!, signal);
      expectInterrupted(await ended);
      await expectSaved(out);
    },
  );

  it('goes on after SIGHUP when it was started by nohup, and is stopped by SIGTERM to its launcher alone (cases 6 and 7)', async () => {
    const out = join(root, 'nohup');
    const { child, says, said, ended } = start(training(out, 20), PLAIN, through('bash', '-c', 'nohup "$0" "$@"'));
    await says(SAVED);
    process.kill(-child.pid!, 'SIGHUP');
    const before = said().split(SAVED).length - 1;
    await says(SAVED, before + 2);
    child.kill('SIGTERM');
    expectInterrupted(await ended);
  });

  it.runIf(existsSync('/usr/bin/script'))(
    'saves a checkpoint when its terminal goes away, which it can write to no more (case 6)',
    async () => {
      const out = join(root, 'terminal');
      const launcher = join(ROOT, 'scripts', 'pseudolabel.mjs');
      const line = [process.execPath, launcher, ...training(out)].map((word) => `'${word}'`).join(' ');
      const terminal = asJob('script', ['-qefc', line, join(root, 'typescript')], {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, ...PLAIN },
      });
      let said = '';
      terminal.stdout!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await expect.poll(() => said).toContain(BEGUN);
      const pid = await processOf(out);
      terminal.kill('SIGKILL');
      await expect.poll(() => isThere(pid)).toBe(false);
      await expectSaved(out);
    },
  );

  it('is stopped by a signal to npm alone, and leaves nobody behind (case 7)', async () => {
    const out = join(root, 'npm');
    const byNpm: Spawn = (_, args, options) =>
      asJob('npm', ['run', '-s', 'pseudolabel', '--', ...args.slice(1)], { ...options, cwd: ROOT });
    const { child, says, ended } = start(training(out), PLAIN, byNpm);
    await says(BEGUN);
    const pid = await processOf(out);
    child.kill('SIGTERM');
    const { stderr } = await ended;
    expect(stderr).toContain('"code":"E_INTERRUPTED"');
    expect(isThere(pid)).toBe(false);
    await expectSaved(out);
  });

  it("that runs is nobody else's to go on with; when it was killed, its launcher says how to (cases 8 and 12)", async () => {
    const out = join(root, 'killed');
    const { says, ended } = start([...training(out, 5), '--stall-worker', '8'], PLAIN, asJob);
    await says(SAVED);
    const pid = await processOf(out);
    const other = await pseudolabel('train', '--resume', out);
    expectError(other, 'E_LOCKED', 1);
    expect(other.stderr).toContain(`process ${pid} on `);
    process.kill(pid, 'SIGKILL');
    const { exit, stderr } = await ended;
    expect(stderr).toMatch(/^error: the process was ended by .*\n {2}fix: .*train --resume .*killed/m);
    expect(exit).toBe(137);
    await (await FolderLock.take(out)).release();
  });
});
