// Owns how `scaling` starts the ranks of a job.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { loadLibrary } from '../../src/collectives/mpi-library.js';
import { PseudolabelError } from '../../src/errors.js';
import type { CommandLine } from './program.js';

/** Read by TensorFlow and the C library when a process starts; mpirun passes on to other machines what it is told to. */
const PASSED_ON = /^(TF|MALLOC)_/;

export interface JobPlace {
  /** undefined: this machine. */
  readonly hostfile: string | undefined;
  /** For mpirun's own files, which two that start or end at once take away from each other in a folder that they share. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly isRoot: boolean;
}

/**
 * So many ranks. On one machine there may be more of them than it has cores; over several, each takes as many in turn. None is held to a core,
 * since its workers have others.
 */
export function mpirunCommand(
  ranks: number,
  { program, args }: CommandLine,
  { hostfile, folder, env, isRoot }: JobPlace,
): CommandLine {
  const where = hostfile === undefined ? ['--oversubscribe'] : ['--hostfile', hostfile, '--map-by', 'node'];
  const passed = Object.keys(env).filter((name) => PASSED_ON.test(name));
  const options = ['--quiet', '-np', String(ranks), '--bind-to', 'none', ...(isRoot ? ['--allow-run-as-root'] : [])];
  return {
    program: 'mpirun',
    args: [...options, ...where, ...passed.flatMap((name) => ['-x', name]), program, ...args],
    env: { TMPDIR: folder },
  };
}

/** Throws E_MPI where a rank could not be started, or would say so. */
export async function checkMpi(): Promise<void> {
  await loadLibrary();
  await promisify(execFile)('mpirun', ['--version']).catch((cause: unknown) => {
    const fix =
      'install Open MPI (Debian: openmpi-bin), or load its module on a cluster, so that mpirun is in the PATH';
    throw new PseudolabelError('E_MPI', 'mpirun does not start', fix, { cause });
  });
}
