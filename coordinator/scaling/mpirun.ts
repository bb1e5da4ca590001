// Starts the ranks of a measured MPI job.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { loadLibrary } from '../../src/collectives/mpi.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted } from '../../src/format.js';
import type { CommandLine } from './child-process.js';

/** Milliseconds for starting ranks that end at once. */
const START_DEADLINE_MS = 60_000;
/** The most lines of mpirun's output that an error shows. */
const MOST_LINES = 3;

/**
 * TensorFlow and the C library read these variables when a process starts. mpirun only passes on what it is told to.
 */
const PASSED_ON = /^(TF|MALLOC)_/;

export interface JobPlace {
  /** Defaults to this machine. */
  readonly hostfile: string | undefined;
  /**
   * The folder for mpirun's own files. Two jobs that start or end at the same time in a shared folder delete each
   * other's files.
   */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly isRoot: boolean;
}

/**
 * Returns the command that starts ranks. On one machine there may be more ranks than cores; with a hostfile, the
 * machines take ranks in turn. Ranks are not bound to cores, because their workers need several.
 * @param says 'little' prints nothing about jobs that were stopped, nor why one cannot be started
 */
export function mpirunCommand(
  ranks: number,
  { program, args }: CommandLine,
  { hostfile, folder, env, isRoot }: JobPlace,
  says: 'all' | 'little' = 'little',
): CommandLine {
  const where = hostfile === undefined ? ['--oversubscribe'] : ['--hostfile', hostfile, '--map-by', 'node'];
  const passed = Object.keys(env).filter((name) => PASSED_ON.test(name));
  const quiet = says === 'little' ? ['--quiet'] : [];
  const options = [...quiet, '-np', String(ranks), '--bind-to', 'none', ...(isRoot ? ['--allow-run-as-root'] : [])];
  return {
    program: 'mpirun',
    args: [...options, ...where, ...passed.flatMap((name) => ['-x', name]), program, ...args],
    env: { TMPDIR: folder },
  };
}

/** Throws E_MPI if this number of ranks cannot be started. */
export async function checkMpi(ranks: number, place: JobPlace): Promise<void> {
  await loadLibrary();
  const { program, args, env } = mpirunCommand(ranks, { program: process.execPath, args: ['--version'] }, place, 'all');
  const options = { env: { ...place.env, ...env }, timeout: START_DEADLINE_MS };
  await promisify(execFile)(program, args, options).catch((cause: Error & { code?: unknown; stderr?: string }) => {
    if (cause.code === 'ENOENT') {
      const fix =
        'install Open MPI (Debian: openmpi-bin), or load its module on a cluster, so that mpirun is in the PATH';
      throw new PseudolabelError('E_MPI', 'there is no mpirun', fix, { cause });
    }
    const lines = (cause.stderr ?? '').split('\n').map((line) => line.trim());
    const said = lines.filter((line) => /[^-]/.test(line)).slice(0, MOST_LINES);
    const message = `mpirun does not start ${counted(ranks, 'rank')}: ${said.join(' ') || cause.message}`;
    throw new PseudolabelError('E_MPI', message, 'see that mpirun starts as many processes here by itself', { cause });
  });
}
