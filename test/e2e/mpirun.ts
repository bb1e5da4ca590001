// Runs jobs of several processes on this machine, where Open MPI is installed or can be.
import { spawnSync } from 'node:child_process';
import { type Running, start } from './command.js';
import { install } from './packages.js';

export const WHY_SKIPPED = 'no mpirun here, and openmpi-bin could not be installed with apt-get as root';

const isThere = (): boolean => spawnSync('mpirun', ['--version'], { stdio: 'ignore', env: env() }).status === 0;

export const hasMpi = (): boolean => isThere() || (install('openmpi-bin') && isThere());

/** The command line of so many ranks, more than there are cores perhaps. Each line says which rank wrote it. */
export function mpirun(ranks: number): string[] {
  return ['mpirun', '--oversubscribe', '--tag-output', '-np', `${ranks}`];
}

/** mpirun asks root twice. */
export const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  OMPI_ALLOW_RUN_AS_ROOT: '1',
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
});

export const startJob = (ranks: number, args: readonly string[]): Running => start(args, env(), mpirun(ranks));
