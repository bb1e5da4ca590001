// Owns how `scaling` starts the ranks of a job.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { loadLibrary } from '../../src/collectives/mpi-library.js';
import { PseudolabelError } from '../../src/errors.js';
import type { CommandLine } from './program.js';

/** Read by TensorFlow and the C library when a process starts; mpirun passes on to other machines what it is told to. */
const PASSED_ON = /^(TF|MALLOC)_/;

/**
 * So many ranks. On one machine there may be more of them than it has cores; over several, each takes as many in turn. None is held to a core,
 * since its workers have others.
 */
export function mpirunCommand(
  ranks: number,
  hostfile: string | undefined,
  [program, ...args]: CommandLine,
  { env, isRoot }: { readonly env: NodeJS.ProcessEnv; readonly isRoot: boolean },
): CommandLine {
  const where = hostfile === undefined ? ['--oversubscribe'] : ['--hostfile', hostfile, '--map-by', 'node'];
  const passed = Object.keys(env).filter((name) => PASSED_ON.test(name));
  return [
    ...(['mpirun', '--quiet', '-np', String(ranks), '--bind-to', 'none'] as const),
    ...(isRoot ? ['--allow-run-as-root'] : []),
    ...[...where, ...passed.flatMap((name) => ['-x', name]), program, ...args],
  ];
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
