// Tests faults by name in each phase of a run on a cluster. The run must have the same bits as without the fault.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../coordinator/executors/cluster/deadlines.js';
import { exactByRows, exactGraph } from './exact-runs.js';
import { CONTENT, expectState } from './executor.contract.js';
import { SHAPE, trainMixed } from './executor-work.js';
import { type AnyParcel, at, GRAPH_PLACES, kindOf, PLACES, place, until } from './faults.js';
import { oneThreadExecutor } from './one-thread-executor.js';
import { type TestCluster, type TestNode, testCluster } from './test-cluster.js';
import { shareByWorkers, stall, trainUntil, withVictim } from './victim.js';

shareByWorkers();

let made: TestCluster;
beforeAll(async () => {
  made = await testCluster(CONTENT, { local: 1, remotes: [] });
});
afterAll(() => made.cluster.close());

describe('a connection that breaks', () => {
  it.each(PLACES)('$name costs no bit', async (where) => {
    const log = await withVictim(made, async ({ link, ended }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      await trainUntil(made, happened, exactByRows);
      expect(await ended).toMatchObject({ kind: 'lost', error: { code: 'E_CLOSED' } });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });
});

describe('in work for a graph of images', () => {
  it.each(GRAPH_PLACES)('a connection that breaks $name costs no bit', async (where) => {
    const log = await withVictim(made, async ({ link }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      await trainUntil(made, happened, exactGraph);
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });

  it.each(GRAPH_PLACES)('a node that wants to leave $name finishes its work and goes', async (where) => {
    const log = await withVictim(made, async ({ link, ended, leave }) => {
      const happened = at(link, where, (parcel) => {
        leave();
        return [parcel];
      });
      await trainUntil(made, happened, exactGraph);
      expect(await ended).toEqual({ kind: 'left' });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });

  it('nodes that compute for a coordinator that does not are sent images and rows once', async () => {
    const { cluster, nodes } = await testCluster(CONTENT, { local: 1, remotes: [1, 1], computes: false });
    try {
      const sent: string[] = [];
      for (const { link } of nodes)
        link.toNode = (parcel) => {
          if (['rows', 'unlabelled'].includes(kindOf(parcel))) sent.push(kindOf(parcel));
          return [parcel];
        };
      for (let time = 0; time < 2; time++) await exactGraph({ cluster } as TestCluster);
      expect(sent.filter((kind) => kind === 'rows')).toHaveLength(4); // once for each graph
      expect(sent.filter((kind) => kind === 'unlabelled').length).toBeLessThanOrEqual(4);
    } finally {
      await cluster.close();
    }
  });
});

it('a node that has parts of the total already does the work of one that is lost, at no cost of a bit', async () => {
  const { cluster, nodes } = await testCluster(CONTENT, { local: 1, remotes: [1, 1], computes: false });
  const [{ link: lost }, { link: other }] = nodes as [TestNode, TestNode];
  try {
    const chunks: number[] = [];
    lost.toCoordinator = (parcel) =>
      kindOf(parcel) === 'sum' && 'tag' in parcel && parcel.tag.offset > 0 ? [] : [parcel];
    other.toNode = (parcel) => {
      if (kindOf(parcel) === 'total' && 'tag' in parcel) chunks.push(parcel.tag.offset);
      if (chunks.length === 1) lost.cut();
      return [parcel];
    };
    expectState(
      await trainMixed(cluster),
      await trainMixed(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } })),
    );
    expect(chunks.slice(0, 2)).toEqual([0, 2 ** 20]);
    expect(cluster.status().nodes).toHaveLength(1);
  } finally {
    await cluster.close();
  }
});

describe('a node that stalls beyond its deadline, and then goes on', () => {
  it.each(PLACES)('$name costs no bit, and it is of use again', async (where) => {
    const log = await withVictim(made, async (victim) => {
      // Images come only once. For all other kinds the deadlines are known first, and are short.
      if (where.kind !== 'evaluation') await exactByRows(made);
      let stalled: Promise<void> | undefined;
      const happened = at(victim.link, where, (parcel) => {
        stalled = stall(made, victim);
        return [parcel];
      });
      await trainUntil(made, happened, exactByRows);
      await stalled;
      await until(() => made.cluster.status().nodes[0]?.state === 'working');
      const isUsed = at(victim.link, place('gradients'), (parcel) => [parcel]);
      await trainUntil(made, isUsed, exactByRows);
    });
    expect(log).toEqual(['+node']);
  });
});

it('a node that is behind when others are told to update, and catches up while they do, has not drifted', async () => {
  const { local, cluster, clock } = made;
  const isBehind = () => cluster.status().nodes[0]?.state === 'behind';
  const log = await withVictim(made, async ({ link }) => {
    await exactByRows(made);
    // The last sum of a step comes after the node has missed its deadline, while all others do their update.
    let late: AnyParcel | undefined;
    void at(link, place('sum', 6), (parcel) => {
      late = parcel;
      return [];
    });
    const missDeadline = async (): Promise<void> => {
      for (; !isBehind(); await sleep(1)) clock.advance(BOUNDS.most);
    };
    const missed = at(link, place('total', 4), (parcel) => {
      void missDeadline();
      return [parcel];
    });
    let comebacks = 0;
    const { updateByTotal } = local;
    local.updateByTotal = async (...args) => {
      if (isBehind() && late && 'tag' in late) {
        comebacks++;
        await link.node.sendBulk(late.tag, late.payload);
        await until(() => !isBehind());
      }
      return updateByTotal.apply(local, args);
    };
    try {
      await trainUntil(made, missed, exactByRows);
    } finally {
      Reflect.deleteProperty(local, 'updateByTotal');
    }
    expect(comebacks).toBe(1);
  });
  expect(log).toEqual(['+node']);
});

describe('a node', () => {
  it.each(PLACES)('that wants to leave $name finishes its work and goes', async (where) => {
    const log = await withVictim(made, async ({ link, ended, leave }) => {
      const happened = at(link, where, (parcel) => {
        leave();
        return [parcel];
      });
      await trainUntil(made, happened, exactByRows);
      expect(await ended).toEqual({ kind: 'left' });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });

  it.each(PLACES)('may join while another node is at work ($name)', async (where) => {
    const joined: Promise<TestNode>[] = [];
    await withVictim(made, async ({ link }) => {
      const happened = at(link, where, (parcel) => {
        joined.push(made.join(1, { name: 'second' }));
        return [parcel];
      });
      await trainUntil(made, happened, exactByRows);
      const second = await joined[0]!;
      await exactByRows(made);
      expect(made.cluster.status().nodes.map(({ name, state }) => [name, state])).toEqual([
        ['node', 'working'],
        ['second', 'working'],
      ]);
      second.link.cut();
      await second.ended;
      await until(() => made.cluster.status().nodes.length === 1);
    });
  });
});
