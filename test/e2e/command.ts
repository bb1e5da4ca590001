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

/** As Ctrl-C does, also where the command stands still in a step of --stall-worker: a run that waits there cannot end before. */
export function interrupt(child: Pick<ChildProcess, 'kill'>, signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): void {
  child.kill(signal);
  child.kill('SIGCONT');
}

export const pseudolabel = (...args: string[]): Promise<Ended> => start(args).ended;
