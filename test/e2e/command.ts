// Runs the command line as a user does: the launcher, in a process of its own, with nothing but pipes around it.
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
  /** Resolves with the first line of stderr that has the text, or with the so-manyeth. Rejects when the command ends before. */
  says(text: string, times?: number): Promise<string>;
  /** Its stderr so far. */
  said(): string;
  readonly ended: Promise<Ended>;
}

const LAUNCHER = fileURLToPath(new URL('../../scripts/pseudolabel.mjs', import.meta.url));

/** How a process is started: here, or on another host. */
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
  // A test that waits in vain tells what it saw.
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

/** Starts the command line in exactly that environment, which the launcher would make that of a run. */
export const withoutLauncher: Spawn = (program, [, ...args], options) => spawn(program, [CLI, ...args], options);

/** The arguments of the line by which a node joins, which a coordinator has said. */
export const joinArgsIn = (line: string): string[] => / (worker .*)$/.exec(line)![1]!.split(' ');

/** As Ctrl-C does, also where the command stands still in a step of --stall-worker: a run that waits there cannot end before. */
export function interrupt(child: Pick<ChildProcess, 'kill'>, signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): void {
  child.kill(signal);
  child.kill('SIGCONT');
}

export const pseudolabel = (...args: string[]): Promise<Ended> => start(args).ended;

/** That it ended so, with an error of this code and a fix, and without a stack or an escape sequence. */
export function expectError({ exit, stderr, stdout }: Ended, code: string, exitCode = 2): void {
  expect(stderr).toMatch(new RegExp(`^error ${code}: .+\n {2}fix: .+`, 'm'));
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stderr + stdout).not.toContain('\u001b');
  expect(exit).toBe(exitCode);
}

export const json = async <T>(...path: string[]): Promise<T> => JSON.parse(await readFile(join(...path), 'utf8')) as T;
export const resultOf = (...path: string[]): Promise<RunResult> => json(...path, 'result.json');
