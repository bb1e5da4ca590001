// Tests what a node sends and is sent in tensor-parallel steps. If an answer is wrong, others compute its tensor shards
// again. No label is ever sent.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exactByTensorShards } from './exact-runs.js';
import { CONTENT } from './executor.contract.js';
import { trainTensorParallel } from './executor-work.js';
import { type AnyParcel, at, kindOf, onWay, type Place } from './faults.js';
import { type TestCluster, testCluster } from './test-cluster.js';
import { shareByWorkers, trainUntil, withVictim } from './victim.js';

shareByWorkers();

let made: TestCluster;
beforeAll(async () => {
  made = await testCluster(CONTENT, { local: 1, remotes: [], fetchEvery: 2 });
});
afterAll(() => made.cluster.close());

describe('a node that holds tensor shards', () => {
  it('may send everything twice', async () => {
    await withVictim(made, async ({ link }) => {
      link.toCoordinator = (parcel) => [parcel, parcel];
      await exactByTensorShards(made);
      expect(made.cluster.status().nodes).toMatchObject([{ state: 'working' }]);
    });
  });

  type Sums = { message: { kind: 'logits'; sums: { logits: Uint8Array; clean: Uint8Array; weightBound: number }[] } };
  type State = Extract<AnyParcel, { tag: unknown }>;
  const withSums = (change: (sums: Sums['message']['sums']) => unknown) => {
    return ({ message }: Sums) => ({ message: { ...message, sums: change(message.sums) } }) as AnyParcel;
  };
  const logits = onWay('coordinator', 'logits', 3);

  const wrong: [name: string, where: Place, change: (parcel: never) => AnyParcel][] = [
    ['fewer sums than subtrees', logits, withSums((sums) => sums.slice(1))],
    ['logits of fewer rows', logits, withSums(([sum]) => [{ ...sum, logits: sum!.logits.slice(4) }])],
    ['clean logits of other rows', logits, withSums(([sum]) => [{ ...sum, clean: new Uint8Array(4) }])],
    ['a bound below zero', logits, withSums(([sum]) => [{ ...sum, weightBound: -1 }])],
    [
      'state with a piece missing',
      onWay('coordinator', 'parameters', 2),
      ({ tag, payload }: State) => ({ tag: { ...tag, offset: tag.offset + 64 }, payload }),
    ],
    [
      'state of another request',
      onWay('coordinator', 'firstMoment', 2),
      ({ tag, payload }: State) => ({ tag: { ...tag, attempt: tag.attempt - 1 }, payload }),
    ],
    [
      'a piece of state that is too short',
      onWay('coordinator', 'secondMoment', 1),
      ({ tag, payload }: State) => ({ tag, payload: payload.slice(4) }),
    ],
    [
      'state with a bit that has flipped',
      onWay('coordinator', 'secondMoment', 1),
      ({ tag, payload }: State) => ({ tag, payload: payload.map((byte, i) => (i === 5 ? byte ^ 1 : byte)) }),
    ],
  ];

  it.each(wrong)('and sends %s is sent away, and its tensor shards made again', async (_, where, change) => {
    const log = await withVictim(made, async ({ link }) => {
      const happened = at(link, where, (parcel) => [change(parcel as never)]);
      await trainUntil(made, happened, exactByTensorShards);
    });
    expect(log).toEqual(['+node', '-node E_PROTOCOL']);
  });

  it('is sent no labels, and nobody is asked for any', async () => {
    await withVictim(made, async ({ link }) => {
      const kinds = new Set<string>();
      link.toNode = (parcel) => {
        kinds.add(kindOf(parcel));
        return [parcel];
      };
      await trainTensorParallel(made.cluster);
      expect([...kinds].sort()).toEqual([
        'average', // It belongs to the state, but no tensor-parallel step changes it.
        'backward',
        'collect',
        'firstMoment',
        'forward',
        'parameters',
        'secondMoment',
      ]);
    });
  });
});
