// Runs jobs of several processes on this machine, if Open MPI is installed or can be.
import { spawn, spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { keyOf, Stream } from '../../src/random.js';
import { writeIdx } from '../write-idx.js';
import { type Running, start } from './command.js';
import { install } from './packages.js';

export const WHY_SKIPPED = 'no mpirun here, and openmpi-bin could not be installed with apt-get as root';

const isThere = (): boolean => spawnSync('mpirun', ['--version'], { stdio: 'ignore', env: env() }).status === 0;

export const hasMpi = (): boolean => isThere() || (install('openmpi-bin') && isThere());

/**
 * Returns the command line of this number of ranks, even if there are fewer cores. Each line of output says which rank
 * wrote it.
 */
export function mpirun(ranks: number): string[] {
  return ['mpirun', '--oversubscribe', '--tag-output', '-np', `${ranks}`];
}

/** Returns the environment of mpirun, which asks root twice and so needs two variables. */
export const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  OMPI_ALLOW_RUN_AS_ROOT: '1',
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
});

export const startJob = (ranks: number, args: readonly string[]): Running => startBy(mpirun(ranks), args);

/** Starts the command line by another program. */
export function startBy(before: readonly string[], args: readonly string[]): Running {
  const [by, ...words] = before as [string, ...string[]];
  return start(args, env(), (program, rest, options) => spawn(by, [...words, program, ...rest], options));
}

/** The command line of a run that takes a second or two. */
export type Options = (scenario: string, steps: number, out: string) => string[];

/** Puts images into the folder, and returns the options of runs on them. */
export async function smallRuns(folder: string): Promise<Options> {
  const data = join(folder, 'data');
  await mkdir(data);
  await writeImages(data, 'train', 400);
  await writeImages(data, 't10k', 100);
  const network = ['--preset', 'report', '--hidden', '48', '--shards', '5', '--workers', '1', '--data', data];
  return (scenario, steps, out) => {
    return ['train', '--scenario', scenario, ...network, '--max-steps', `${steps}`, '--out', out];
  };
}

/** Writes images of four classes: noise over one bright quarter each. */
async function writeImages(folder: string, name: string, count: number): Promise<void> {
  const stream = new Stream(keyOf(name.length, 'split', 9));
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 4);
  const pixels = Uint8Array.from({ length: count * 64 }, (_, p) => {
    const quarter = 2 * Number(p % 64 >= 32) + Number(p % 8 >= 4);
    return stream.below(128) + (quarter === labels[p >> 6] ? 127 : 0);
  });
  await writeIdx(join(folder, `${name}-images-idx3-ubyte`), [count, 8, 8], pixels);
  await writeIdx(join(folder, `${name}-labels-idx1-ubyte`), [count], labels);
}
