// Runs a command in the processes of an MPI job. Rank 0 runs the command as a user knows it; the other ranks compute
// what it asks for.
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import type { Collective } from '../../src/collectives/collective.js';
import { openMpi, rankOf } from '../../src/collectives/mpi.js';
import { tell } from '../../src/protocol/mpi-messages.js';
import { normalise } from '../../src/training/config.js';
import { serveMpiRank } from '../../worker/mpi-rank.js';
import { type Context, usage } from './options.js';

export interface MpiFlags {
  readonly collective?: 'mpi';
  readonly fastSum?: true;
  readonly workers?: number;
  readonly listen?: string;
}

export function addMpiOptions(command: Command): Command {
  return command
    .addOption(new Option('--collective <name>', 'train in the processes that mpirun has started').choices(['mpi']))
    .option(
      '--fast-sum',
      "train data parallel, and sum gradients in MPI's own order: the result then depends on the number of ranks",
    );
}

/**
 * Does a command's work alone, or as rank 0 of an MPI job whose other ranks serve it. Throws E_USAGE, E_MPI, and the
 * errors of the work.
 */
export async function asRank(
  flags: MpiFlags,
  { terminal, signal }: Context,
  work: (collective: Collective | undefined) => Promise<void>,
): Promise<void> {
  const { env } = process;
  check(flags, env);
  if (flags.collective === undefined) return work(undefined);
  const isRoot = (rankOf(env) ?? 0) === 0;
  terminal.isQuiet = !isRoot;
  const collective = await openMpi(env, signal);
  if (!isRoot) return serve(collective, flags);
  try {
    await work(collective);
  } finally {
    // If this fails, the error that broke the job has already been reported.
    await tell(collective, { kind: 'bye', reason: 'finished' }).catch(() => undefined);
    collective.close();
  }
}

async function serve(collective: Collective, flags: MpiFlags): Promise<void> {
  const { workers } = normalise({ workers: flags.workers });
  const name = `rank ${collective.rank} on ${hostname()}`;
  await serveMpiRank(collective, { name, workers });
  collective.close();
}

function check({ collective, listen }: MpiFlags, env: NodeJS.ProcessEnv): void {
  if (collective !== undefined && listen !== undefined)
    throw usage('--collective mpi and --listen', 'take nodes that come and go, or the ranks of a job, not both');
  if (collective === undefined && Number(env.OMPI_COMM_WORLD_SIZE ?? 1) > 1)
    throw usage('mpirun started several processes, each of which would train alone', 'add --collective mpi');
}
