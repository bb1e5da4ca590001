// Owns fleets for tests: a coordinator's node and nodes that joined it, all in this process, with links on which anything can go wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet, type FleetOptions } from '../../coordinator/fleet/fleet.js';
import type { Fingerprints } from '../../src/engine/fingerprint.js';
import { type Ending, hostNode } from '../../worker/host.js';
import type { LocalNode, NodeOptions } from '../../worker/node.js';
import { ManualClock } from '../manual-clock.js';
import { createKeptNode } from './kept-nodes.js';
import { type Link, memoryLink } from './memory-channel.js';
import type { Content } from './node.contract.js';

export interface TestNode {
  readonly link: Link;
  readonly ended: Promise<Ending>;
  /** Its node, once it has been welcomed. */
  readonly node: Promise<LocalNode>;
  leave(): void;
}

export interface TestFleet {
  readonly fleet: Fleet;
  /** Of its deadlines: it stands still until it is moved, and so nobody misses one. */
  readonly clock: ManualClock;
  readonly local: LocalNode;
  readonly nodes: TestNode[];
  /** Names of nodes that joined and left, as '+name' and '-name CODE', and of those refused, as '!name CODE'. */
  readonly log: string[];
  /** Adds a node of so many workers; it has joined when this resolves. */
  join(workers: number, options?: Partial<{ name: string; fingerprints: Fingerprints }>): Promise<TestNode>;
}

export interface TestFleetOptions extends Partial<Omit<FleetOptions, 'listener'>> {
  /** Threads of the coordinator, and of each node. */
  readonly local: number;
  readonly remotes: readonly number[];
}

/** More than a step can take to compute, on any machine; and deadlines that it does not reach. */
export const A_LONG_TIME = 1e6;
export const ENDLESS = { least: 1e12, most: 1e12 };

const FINGERPRINT = 'of tests';
/** The same of every precision. */
export const every = (fingerprint: string): Fingerprints => {
  return { f32: fingerprint, bf16: fingerprint, 'bf16-emulated': fingerprint };
};

export async function testFleet(
  content: Content,
  { local: lanes, remotes, ...options }: TestFleetOptions,
): Promise<TestFleet> {
  const clock = new ManualClock();
  const local = await createKeptNode({ ...content, shape: { ...content.shape, lanes } });
  const log: string[] = [];
  const codeOf = (reason: unknown) => (reason as { code?: string }).code;
  const fleet = new Fleet(local, {
    ...{
      computes: true,
      checksumEvery: 2,
      patienceMs: 2_000,
      fingerprint: FINGERPRINT,
      allowMixed: false,
      wire: 'f32',
      clock,
    },
    ...options,
    listener: {
      joined: ({ name }) => log.push(`+${name}`),
      left: ({ name }, reason) => log.push(`-${name} ${codeOf(reason)}`),
      fellBehind: () => undefined,
      caughtUp: () => undefined,
      refused: (name, reason) => log.push(`!${name} ${codeOf(reason)}`),
      gathering: () => undefined,
      waiting: (_, isAgain) => (isAgain ? log.length : log.push('waiting')),
      slower: (verdict) => log.push(verdict),
    },
  });
  const nodes: TestNode[] = [];
  const join: TestFleet['join'] = async (workers, { name = 'node', fingerprints = every(FINGERPRINT) } = {}) => {
    const link = memoryLink();
    const leaving = new AbortController();
    let made: (node: LocalNode) => void = () => undefined;
    const node = new Promise<LocalNode>((resolve) => {
      made = resolve;
    });
    const create = async (nodeOptions: NodeOptions) => {
      const created = await createKeptNode(nodeOptions);
      made(created);
      return created;
    };
    const ended = hostNode(link.node, { name, workers, fingerprints, signal: leaving.signal }, create);
    const joined = { link, ended, node, leave: () => leaving.abort() };
    await fleet.admit(link.coordinator);
    nodes.push(joined);
    return joined;
  };
  for (const workers of remotes) await join(workers);
  return { fleet, clock, local, nodes, log, join };
}

/** Resolves when the node is given its next task; after 100 ms at the latest, since it may have nothing to do. */
export async function atWork(node: LocalNode): Promise<void> {
  type Methods = Record<string, (...args: unknown[]) => unknown>;
  const spied = [
    [node as unknown as Methods, ['gradients', 'predict', 'updateByTotal']],
    [node.sliced as unknown as Methods, ['forward', 'backward', 'replay']],
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
