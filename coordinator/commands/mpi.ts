// Owns a run as the job of several processes, from its flags: rank 0 is the command as a user knows it, the others only do what it tells.
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import type { Collective } from '../../src/collectives/collective.js';
import { openMpi, rankOf } from '../../src/collectives/mpi.js';
import type { Dataset } from '../../src/data/dataset.js';
import type { Executor } from '../../src/engine/executor.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted } from '../../src/format.js';
import { tell } from '../../src/protocol/mpi-messages.js';
import { normalise, type RunConfig } from '../../src/training/config.js';
import { planOf } from '../../src/training/plan.js';
import { strategyOf } from '../../src/training/strategy-choice.js';
import { serveMpiRank } from '../../worker/mpi-rank.js';
import { MpiExecutor } from '../executors/mpi/mpi-executor.js';
import { fingerprintsHere } from '../executors/numerics.js';
import { openSession, type Session, taskOf } from '../session.js';
import type { Context } from './options.js';

export interface MpiFlags {
  readonly collective?: 'mpi';
  readonly fastSum?: true;
  readonly workers?: number;
  readonly listen?: string;
  readonly allowMixed?: boolean;
}

/** Steps between two comparisons of the ranks' parameters: a checksum of 16 MB takes every rank some 10 ms. */
const CHECKSUM_EVERY = 100;

export function addMpiOptions(command: Command): Command {
  return command
    .addOption(new Option('--collective <name>', 'train in the processes that mpirun has started').choices(['mpi']))
    .option(
      '--fast-sum',
      "train data parallel, and sum gradients in MPI's own order: the result then depends on the number of ranks",
    );
}

/**
 * Does a command's work in the place that it was started in: alone, or as rank 0 of a job, whose other ranks serve it.
 * Throws E_USAGE, E_MPI, and what the work throws.
 */
export async function inPlace(
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
    // If the ranks are no longer in step, that has been said already.
    await tell(collective, { kind: 'bye', reason: 'finished' }).catch(() => undefined);
    collective.close();
  }
}

async function serve(collective: Collective, flags: MpiFlags): Promise<void> {
  const { workers } = normalise({ workers: flags.workers });
  const name = `rank ${collective.rank} on ${hostname()}`;
  await serveMpiRank(collective, { name, workers, fingerprints: fingerprintsHere() });
  collective.close();
}

/** Throws E_USAGE, E_CONFIG, E_NUMERICS, and what a rank failed by. */
export async function openMpiSession(
  config: RunConfig,
  dataset: Dataset,
  { allowMixed = false }: MpiFlags,
  { terminal }: Context,
  collective: Collective,
  traced: (node: Executor) => Executor = (node) => node,
): Promise<Session> {
  const ranks = collective.size;
  if (config.shards < ranks) {
    const message = `${counted(config.shards, 'shard')} for ${counted(ranks, 'rank')}: not all would have something to do`;
    throw new PseudolabelError('E_USAGE', message, `give --shards ${ranks} or more, one for each worker of all ranks`);
  }
  const sumsGradients = planOf(config, taskOf(config, dataset)).some(
    ({ model }) => strategyOf(config, model) === 'data',
  );
  if (config.fastSum && !sumsGradients)
    throw new PseudolabelError('E_CONFIG', 'fastSum: tensor-parallel steps sum no gradients', 'leave out --fast-sum');
  const order = config.fastSum ? 'any' : 'tree';
  const made: MpiExecutor[] = [];
  const session = await openSession([config], dataset, (local, fingerprint) => {
    const node = new MpiExecutor(local, collective, { fingerprint, allowMixed, order, checksumEvery: CHECKSUM_EVERY });
    made.push(node);
    return traced(node);
  });
  try {
    await made[0]!.welcome();
  } catch (error) {
    await session.close();
    throw error;
  }
  const dependence = config.fastSum ? "; gradients are summed in MPI's order, so the weights depend on the ranks" : '';
  const { workers } = session.dispatcher;
  terminal.note(`${counted(ranks, 'rank')} with ${counted(workers, 'worker')} in all${dependence}`);
  return { ...session, job: { ranks, workers, sum: order } };
}

function check({ collective, listen }: MpiFlags, env: NodeJS.ProcessEnv): void {
  const usage = (message: string, fix: string) => new PseudolabelError('E_USAGE', message, fix);
  if (collective !== undefined && listen !== undefined)
    throw usage('--collective mpi and --listen', 'take nodes that come and go, or the ranks of a job, not both');
  if (collective === undefined && Number(env.OMPI_COMM_WORLD_SIZE ?? 1) > 1)
    throw usage('mpirun started several processes, each of which would train alone', 'add --collective mpi');
}
