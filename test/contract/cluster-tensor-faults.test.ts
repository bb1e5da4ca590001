// Tests faults by name in each phase of a tensor-parallel step on a cluster. The run must have the same bits as without
// the fault.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exactByTensorShards } from './exact-runs.js';
import { CONTENT } from './executor.contract.js';
import { at, onWay, type Place, until } from './faults.js';
import { type TestCluster, type TestNode, testCluster } from './test-cluster.js';
import { shareByWorkers, stall, trainUntil, withVictim } from './victim.js';

shareByWorkers();

let made: TestCluster;
beforeAll(async () => {
  made = await testCluster(CONTENT, { local: 1, remotes: [], fetchEvery: 2 });
});
afterAll(() => made.cluster.close());

/** The places in a training of six steps, whose state is fetched after every second step. */
const PLACES: readonly Place[] = [
  onWay('node', 'unlabelled', 1, 'while it is sent images'),
  onWay('node', 'firstMoment', 2, 'while it is sent the state of its tensor shards'),
  onWay('node', 'forward', 1, 'before its first forward pass'),
  onWay('node', 'forward', 4, 'before a forward pass'),
  onWay('coordinator', 'logits', 3, 'when it has done a forward pass and waits for the gradient'),
  onWay('node', 'backward', 2, 'before a backward pass'),
  onWay('coordinator', 'updated', 5, 'when it has updated'),
  onWay('node', 'collect', 2, 'before its state is fetched'),
  onWay('coordinator', 'parameters', 3, 'in the middle of its state'),
  onWay('coordinator', 'secondMoment', 14, 'at the end of its state'),
  onWay('coordinator', 'collected', 3, 'when its state has been fetched'),
];

/** All places but images, which came when the node joined. */
const INSIDE = PLACES.filter(({ kind }) => kind !== 'unlabelled');

/** The kinds of messages when shards are taken over, in forward and backward passes, and when state is fetched. */
const PHASES = new Set(['firstMoment', 'logits', 'backward', 'secondMoment']);
const ONE_A_PHASE = INSIDE.filter(({ kind }) => PHASES.has(kind));

describe('a connection that breaks, tensor parallel', () => {
  it.each(INSIDE)('$name costs no bit', async (where) => {
    const log = await withVictim(made, async ({ link, ended }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      await trainUntil(made, happened, exactByTensorShards);
      expect(await ended).toMatchObject({ kind: 'lost', error: { code: 'E_CLOSED' } });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });
});

describe('a node that stalls beyond its deadline, and then goes on, tensor parallel', () => {
  it.each(ONE_A_PHASE)('$name costs no bit, and it is of use again', async (where) => {
    const log = await withVictim(made, async (victim) => {
      await exactByTensorShards(made);
      let stalled: Promise<void> | undefined;
      const happened = at(victim.link, where, (parcel) => {
        stalled = stall(made, victim);
        return [parcel];
      });
      await trainUntil(made, happened, exactByTensorShards);
      await stalled;
      await until(() => made.cluster.status().nodes[0]?.state === 'working');
      const isUsed = at(victim.link, onWay('node', 'forward', 1), (parcel) => [parcel]);
      await trainUntil(made, isUsed, exactByTensorShards);
    });
    expect(log).toEqual(['+node']);
  });
});

describe('a node that holds tensor shards', () => {
  it.each(INSIDE)('and wants to leave $name hands them over and goes', async (where) => {
    const log = await withVictim(made, async ({ link, ended, leave }) => {
      const replayed: string[] = [];
      const happened = at(link, where, (parcel) => {
        leave();
        return [parcel];
      });
      const { tensor } = made.local;
      const replay = tensor.replay.bind(tensor);
      tensor.replay = (...args) => {
        replayed.push('replay');
        return replay(...args);
      };
      try {
        await trainUntil(made, happened, exactByTensorShards);
      } finally {
        tensor.replay = replay;
      }
      expect(await ended).toEqual({ kind: 'left' });
      expect(replayed).toEqual([]);
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });

  it.each(ONE_A_PHASE)('may be joined by another ($name)', async (where) => {
    const joined: Promise<TestNode>[] = [];
    await withVictim(made, async ({ link }) => {
      const happened = at(link, where, (parcel) => {
        joined.push(made.join(1, { name: 'second' }));
        return [parcel];
      });
      await trainUntil(made, happened, exactByTensorShards);
      const second = await joined[0]!;
      const isUsed = at(second.link, onWay('coordinator', 'logits', 1), (parcel) => [parcel]);
      await trainUntil(made, isUsed, exactByTensorShards);
      second.link.cut();
      await second.ended;
      await until(() => made.cluster.status().nodes.length === 1);
    });
  });
});
