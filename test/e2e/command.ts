// Runs the command line as a user does: the launcher, in a process of its own, with nothing but pipes around it.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ended {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves with the first line of stderr that has the text. Rejects when the command ends before. */
  says(text: string): Promise<string>;
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
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exit) => resolve({ exit, ...written }));
  });
  const says = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = written.stderr
          .split('\n')
          .slice(0, -1)
          .find((each) => each.includes(text));
        if (line !== undefined) resolve(line);
      };
      child.stderr!.on('data', look);
      look();
      void ended.then(({ stderr }) => reject(new Error(`it ended without saying '${text}':\n${stderr}`)));
    });
  return { child, says, ended };
}

export const pseudolabel = (...args: string[]): Promise<Ended> => start(args).ended;
