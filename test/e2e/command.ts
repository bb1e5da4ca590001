// Runs the command line as a user does: the launcher, in a process of its own, with pipes for its input and output.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type RunnerTestCase, TestRunner } from 'vitest';
import type { RunResult } from '../../coordinator/runs/result.js';

export interface Ended {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /**
   * Resolves with the nth line of stderr that has the text, by default the first. Rejects if the command ends before.
   */
  says(text: string, times?: number): Promise<string>;
  /** Returns its stderr so far. */
  said(): string;
  readonly ended: Promise<Ended>;
}

const LAUNCHER = fileURLToPath(new URL('../../scripts/pseudolabel.mjs', import.meta.url));

/** Starts a process, here or on another host. */
export type Spawn = (program: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, by: Spawn = spawn): Running {
  const child = by(process.execPath, [LAUNCHER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const written = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
      for (const look of watchers) look();
    });
  }
  // A test that waits in vain shows the output.
  TestRunner.getCurrentTest<RunnerTestCase | undefined>()?.context.onTestFailed(() => {
    console.error(`exit code ${child.exitCode}: pseudolabel ${args.join(' ')}\n${written.stderr}`);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exit) => resolve({ exit, ...written }));
  });
  const says = (text: string, times = 1): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const lines = written.stderr.split('\n').slice(0, -1);
        const line = lines.filter((each) => each.includes(text))[times - 1];
        if (line === undefined) return;
        watchers.delete(look);
        resolve(line);
      };
      watchers.add(look);
      look();
      void ended.then(({ stderr }) => reject(new Error(`it ended without saying '${text}':\n${stderr}`)));
    });
  return { child, says, said: () => written.stderr, ended };
}

const CLI = fileURLToPath(new URL('../../dist/coordinator/cli.js', import.meta.url));

/** Starts the command line in exactly this environment. The launcher would turn it into that of a run. */
export const withoutLauncher: Spawn = (program, [, ...args], options) => spawn(program, [CLI, ...args], options);

/** Returns the arguments in a coordinator's line about how a node joins. */
export const joinArgsIn = (line: string): string[] => / (worker .*)$/.exec(line)![1]!.split(' ');

/**
 * Interrupts a command as Ctrl-C does. It also continues a command that is stalled in a step of --stall-worker, because
 * such a run could not end before.
 */
export function interrupt(child: Pick<ChildProcess, 'kill'>, signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): void {
  child.kill(signal);
  child.kill('SIGCONT');
}

export const pseudolabel = (...args: string[]): Promise<Ended> => start(args).ended;

/** Expects that the command ended with an error of this code and a fix, without a stack or an escape sequence. */
export function expectError({ exit, stderr, stdout }: Ended, code: string, exitCode = 2): void {
  expect(stderr).toMatch(new RegExp(`^error ${code}: .+\n {2}fix: .+`, 'm'));
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stderr + stdout).not.toContain('\u001b');
  expect(exit).toBe(exitCode);
}

export const json = async <T>(...path: string[]): Promise<T> => JSON.parse(await readFile(join(...path), 'utf8')) as T;
export const resultOf = (...path: string[]): Promise<RunResult> => json(...path, 'result.json');
