// Makes clusters for tests: a coordinator's node and nodes that have joined it, all in this process, with links on
// which anything can go wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterExecutor, type ClusterOptions } from '../../coordinator/executors/cluster/cluster-executor.js';
import type { FingerprintOf } from '../../src/models/fingerprint.js';
import { type Ending, hostNode } from '../../worker/node-host.js';
import type { ThreadExecutor, ThreadExecutorOptions } from '../../worker/thread-executor.js';
import { ManualClock } from '../manual-clock.js';
import type { Content } from './executor.contract.js';
import { createKeptExecutor } from './kept-executors.js';
import { type Link, memoryLink } from './memory-channel.js';

export interface TestNode {
  readonly link: Link;
  readonly ended: Promise<Ending>;
  /** The node's executor, once it has been welcomed. */
  readonly node: Promise<ThreadExecutor>;
  leave(): void;
}

export interface TestCluster {
  readonly cluster: ClusterExecutor;
  /** The clock of the deadlines. It stands still until a test moves it, so nobody misses a deadline. */
  readonly clock: ManualClock;
  readonly local: ThreadExecutor;
  readonly nodes: TestNode[];
  /** The nodes that joined and left, as '+name' and '-name CODE', and those that were refused, as '!name CODE'. */
  readonly log: string[];
  /** Adds a node with this number of workers. It has joined when this resolves. */
  join(workers: number, options?: Partial<{ name: string; fingerprintOf: FingerprintOf }>): Promise<TestNode>;
}

export interface TestClusterOptions extends Partial<Omit<ClusterOptions, 'listener'>> {
  /** The number of threads of the coordinator, and those of each node. */
  readonly local: number;
  readonly remotes: readonly number[];
}

/** More milliseconds than a step can take on any machine; and deadlines that no step reaches. */
export const A_LONG_TIME = 1e6;
export const ENDLESS = { least: 1e12, most: 1e12 };

const FINGERPRINT = 'of tests';

export async function testCluster(
  content: Content,
  { local: workspaces, remotes, ...options }: TestClusterOptions,
): Promise<TestCluster> {
  const clock = new ManualClock();
  const local = await createKeptExecutor({ ...content, shape: { ...content.shape, workspaces } });
  const log: string[] = [];
  const codeOf = (reason: unknown) => (reason as { code?: string }).code;
  const cluster = new ClusterExecutor(local, {
    computes: true,
    checksumEvery: 2,
    patienceMs: 2_000,
    fingerprint: FINGERPRINT,
    numerics: 'f32',
    allowMixed: false,
    wire: 'f32',
    clock,
    ...options,
    listener: {
      joined: ({ name }) => log.push(`+${name}`),
      left: ({ name }, reason) => log.push(`-${name} ${codeOf(reason)}`),
      fellBehind: () => undefined,
      caughtUp: () => undefined,
      refused: (name, reason) => log.push(`!${name} ${codeOf(reason)}`),
      gathering: () => undefined,
      waiting: (_, isAgain) => (isAgain ? log.length : log.push('waiting')),
      slower: (slowdownWarning) => log.push(slowdownWarning),
    },
  });
  const nodes: TestNode[] = [];
  const join: TestCluster['join'] = async (workers, { name = 'node', fingerprintOf = () => FINGERPRINT } = {}) => {
    const link = memoryLink();
    const leaving = new AbortController();
    let made: (node: ThreadExecutor) => void = () => undefined;
    const node = new Promise<ThreadExecutor>((resolve) => {
      made = resolve;
    });
    const create = async (nodeOptions: ThreadExecutorOptions) => {
      const created = await createKeptExecutor(nodeOptions);
      made(created);
      return created;
    };
    const ended = hostNode(link.node, { name, workers, fingerprintOf, signal: leaving.signal }, create);
    const joined = { link, ended, node, leave: () => leaving.abort() };
    await cluster.admit(link.coordinator);
    nodes.push(joined);
    return joined;
  };
  for (const workers of remotes) await join(workers);
  return { cluster, clock, local, nodes, log, join };
}

/** Resolves when the node is given its next task, or after 100 ms, because it may have nothing to do. */
export async function atWork(node: ThreadExecutor): Promise<void> {
  type Methods = Record<string, (...args: unknown[]) => unknown>;
  const spied = [
    [node as unknown as Methods, ['computeGradients', 'predict', 'describe', 'neighbours', 'updateByTotal']],
    [node.tensor as unknown as Methods, ['forward', 'backward', 'replay']],
  ] as const;
  const began = new Promise<void>((resolve) => {
    for (const [object, phases] of spied) {
      for (const phase of phases) {
        const original = (Object.getPrototypeOf(object) as Methods)[phase]!;
        object[phase] = (...args) => {
          const result = original.apply(object, args);
          resolve();
          return result;
        };
      }
    }
  });
  await Promise.race([began, sleep(100)]);
  for (const [object, phases] of spied) for (const phase of phases) delete object[phase];
}
