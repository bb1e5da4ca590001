// Makes jobs of ranks for tests. All ranks are in this process, and each has a local node of its own.
import { MpiExecutor, type MpiOptions } from '../../coordinator/executors/mpi/mpi-executor.js';
import { tell } from '../../src/protocol/mpi-messages.js';
import { serveMpiRank } from '../../worker/mpi-rank.js';
import type { ThreadExecutor, ThreadExecutorOptions } from '../../worker/thread-executor.js';
import type { Content } from './executor.contract.js';
import { createKeptExecutor } from './kept-executors.js';
import { memoryRanks } from './memory-collective.js';

export interface Job {
  readonly ranks: MpiExecutor;
  /** The node of each rank. */
  readonly nodes: readonly ThreadExecutor[];
  /** Ends the job as rank 0 ends a run. */
  end(): Promise<void>;
}

const OPTIONS: MpiOptions = {
  fingerprint: 'of tests',
  numerics: 'f32',
  allowMixed: false,
  order: 'tree',
  checksumEvery: 2,
};

export interface Rank {
  readonly workers: number;
  readonly fingerprint?: string;
}

export async function jobOf(
  content: Content,
  [here, ...others]: readonly [Rank, ...Rank[]],
  options: Partial<MpiOptions> = {},
): Promise<Job> {
  const local = await createKeptExecutor({ ...content, shape: { ...content.shape, workspaces: here.workers } });
  const [collective, ...elsewhere] = memoryRanks(1 + others.length);
  const nodes: ThreadExecutor[] = [local];
  const ended = elsewhere.map((of, i) => {
    const { workers, fingerprint = OPTIONS.fingerprint } = others[i]!;
    const create = async (nodeOptions: ThreadExecutorOptions) => {
      nodes[i + 1] = await createKeptExecutor(nodeOptions);
      return nodes[i + 1]!;
    };
    return serveMpiRank(of, { name: `rank ${i + 1}`, workers, fingerprintOf: () => fingerprint }, create);
  });
  const ranks = new MpiExecutor(local, collective!, { ...OPTIONS, ...options });
  const end = async () => {
    await ranks.close();
    await tell(collective!, { kind: 'bye', reason: 'finished' });
    await Promise.all(ended);
  };
  await ranks.welcome().catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return { ranks, nodes, end };
}

/** Returns ranks with these numbers of workers. */
export const of = (...workers: [number, ...number[]]) =>
  workers.map((each) => ({ workers: each })) as [Rank, ...Rank[]];
