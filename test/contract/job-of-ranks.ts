// Owns jobs of ranks for tests: all of them in this process, each with a local node of its own.
import { Ranks, type RanksOptions } from '../../coordinator/ranks/ranks.js';
import { tell } from '../../src/protocol/ranks.js';
import type { LocalNode, NodeOptions } from '../../worker/node.js';
import { serveRank } from '../../worker/rank.js';
import { createKeptNode } from './kept-nodes.js';
import { memoryRanks } from './memory-collective.js';
import type { Content } from './node.contract.js';
import { every } from './test-fleet.js';

export interface Job {
  readonly ranks: Ranks;
  /** Of each rank. */
  readonly nodes: readonly LocalNode[];
  /** As rank 0 ends a run. */
  end(): Promise<void>;
}

const OPTIONS: RanksOptions = { fingerprint: 'of tests', allowMixed: false, order: 'tree', checksumEvery: 2 };

export interface Rank {
  readonly workers: number;
  readonly fingerprint?: string;
}

export async function jobOf(
  content: Content,
  [here, ...others]: readonly [Rank, ...Rank[]],
  options: Partial<RanksOptions> = {},
): Promise<Job> {
  const local = await createKeptNode({ ...content, shape: { ...content.shape, lanes: here.workers } });
  const [collective, ...elsewhere] = memoryRanks(1 + others.length);
  const nodes: LocalNode[] = [local];
  const ended = elsewhere.map((of, i) => {
    const { workers, fingerprint = OPTIONS.fingerprint } = others[i]!;
    const create = async (nodeOptions: NodeOptions) => {
      nodes[i + 1] = await createKeptNode(nodeOptions);
      return nodes[i + 1]!;
    };
    return serveRank(of, { name: `rank ${i + 1}`, workers, fingerprints: every(fingerprint) }, create);
  });
  const ranks = new Ranks(local, collective!, { ...OPTIONS, ...options });
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

/** Ranks of so many workers. */
export const of = (...workers: [number, ...number[]]) =>
  workers.map((each) => ({ workers: each })) as [Rank, ...Rank[]];
