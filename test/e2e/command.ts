// Runs the command line as a user does: the launcher, in a process of its own, with nothing but pipes around it.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ended {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves when stderr has the text. Rejects when the command ends before. */
  says(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
}

const LAUNCHER = fileURLToPath(new URL('../../scripts/pseudolabel.mjs', import.meta.url));

/** before: a program that starts it, and its arguments. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, before: readonly string[] = []): Running {
  const [program, ...rest] = [...before, process.execPath, LAUNCHER, ...args] as [string, ...string[]];
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exit) => resolve({ exit, ...written }));
  });
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (written.stderr.includes(text)) resolve();
      };
      child.stderr.on('data', look);
      look();
      void ended.then(({ stderr }) => reject(new Error(`it ended without saying '${text}':\n${stderr}`)));
    });
  return { child, says, ended };
}

export const pseudolabel = (...args: string[]): Promise<Ended> => start(args).ended;
