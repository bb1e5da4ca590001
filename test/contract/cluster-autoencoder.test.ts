// Tests faults by name in each exchange of an autoencoder's tensor-parallel steps on a cluster. The run must have the
// same bits as without the fault.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layoutOf } from '../../src/models/dense/model.js';
import { tensorShardCount } from '../../src/models/dense/tensor-layout.js';
import { exactAutoencoder } from './exact-runs.js';
import { CONTENT } from './executor.contract.js';
import { AUTOENCODER, initialOf, SHARDS, tensorStep } from './executor-work.js';
import { type AnyParcel, at, kindOf, onWay, type Place, until } from './faults.js';
import { ENDLESS, type TestCluster, type TestNode, testCluster } from './test-cluster.js';
import { shareByWorkers, stall, trainUntil, withVictim } from './victim.js';

shareByWorkers();

/** The places in a training of six steps, whose state is fetched after every second step. */
const PLACES: readonly Place[] = [
  onWay('node', 'forward', 4, 'before a forward pass'),
  onWay('coordinator', 'logits', 4, 'when it has given what goes into the middle'),
  onWay('node', 'onward', 3, 'before the pass above the middle'),
  onWay('coordinator', 'logits', 5, 'when it has given logits'),
  onWay('node', 'onward', 4, 'before the gradient at its logits'),
  onWay('coordinator', 'logits', 6, 'when it has given the gradient above the middle'),
  onWay('node', 'backward', 2, 'before a backward pass'),
  onWay('coordinator', 'updated', 5, 'when it has updated'),
  onWay('coordinator', 'secondMoment', 40, 'in the middle of its state'),
];

describe('an autoencoder tensor parallel on a cluster', () => {
  let made: TestCluster;
  beforeAll(async () => {
    made = await testCluster(CONTENT, { local: 1, remotes: [], fetchEvery: 2 });
  });
  afterAll(() => made.cluster.close());

  it.each(PLACES)('loses no bit where a connection breaks $name', async (where) => {
    await withVictim(made, async ({ link, ended }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      await trainUntil(made, happened, exactAutoencoder);
      expect(await ended).toMatchObject({ kind: 'lost', error: { code: 'E_CLOSED' } });
    });
  });

  it.each(PLACES)('loses no bit where a node stalls $name, and then goes on', async (where) => {
    await withVictim(made, async (victim) => {
      await exactAutoencoder(made);
      let stalled: Promise<void> | undefined;
      const happened = at(victim.link, where, (parcel) => {
        stalled = stall(made, victim);
        return [parcel];
      });
      await trainUntil(made, happened, exactAutoencoder);
      await stalled;
      await until(() => made.cluster.status().nodes[0]?.state === 'working');
      const again = at(victim.link, onWay('node', 'onward', 1), (parcel) => [parcel]);
      await trainUntil(made, again, exactAutoencoder);
    });
  });

  it.each(PLACES)('lets a node go that wants to leave $name', async (where) => {
    await withVictim(made, async ({ link, ended, leave }) => {
      const happened = at(link, where, (parcel) => {
        leave();
        return [parcel];
      });
      await trainUntil(made, happened, exactAutoencoder);
      expect(await ended).toEqual({ kind: 'left' });
    });
  });

  it('sends a node away whose sums are of another exchange', async () => {
    const before = made.log.length;
    await withVictim(made, async ({ link }) => {
      type Sums = { message: { kind: string; sums: { logits: Uint8Array }[] } };
      let last: Sums['message']['sums'] = [];
      link.toCoordinator = (parcel) => {
        const { message } = parcel as unknown as Partial<Sums>;
        if (message?.kind !== 'logits') return [parcel];
        const sums = last;
        last = message.sums;
        return [(sums.length === 0 ? parcel : { message: { ...message, sums } }) as typeof parcel];
      };
      await exactAutoencoder(made);
    });
    expect(made.log.slice(before)).toEqual(['+node', '-node E_PROTOCOL']);
  });

  it('takes all that comes twice, and sends neither labels nor the parameters of the middle', async () => {
    await withVictim(made, async ({ link }) => {
      const kinds = new Set<string>();
      const sent: [start: number, end: number][] = [];
      link.toCoordinator = (parcel) => [parcel, parcel];
      link.toNode = (parcel) => {
        kinds.add(kindOf(parcel as AnyParcel));
        if ('tag' in parcel && kindOf(parcel as AnyParcel) === 'parameters')
          sent.push([parcel.tag.offset / 4, (parcel.tag.offset + parcel.payload.length) / 4]);
        return [parcel];
      };
      await exactAutoencoder(made);
      expect([...kinds].sort()).toEqual([
        'average', // It belongs to the state, but no tensor-parallel step changes it.
        'backward',
        'collect',
        'firstMoment',
        'forward',
        'onward',
        'parameters',
        'secondMoment',
      ]);
      const { places } = layoutOf(AUTOENCODER);
      const narrowLayers = [places[2]!.kernel, places[4]!.kernel] as const;
      expect(sent.some(([start, end]) => start < narrowLayers[1] && end > narrowLayers[0])).toBe(false);
    });
  });

  it('ends on the same bits with nodes alone, and does the steps of a lost one again', async () => {
    const options = { local: 1, remotes: [1, 1], computes: false, fetchEvery: 100 };
    const cluster = await testCluster(CONTENT, { ...options });
    try {
      const [first, second] = cluster.nodes as [TestNode, TestNode];
      const replayed: number[] = [];
      const again = at(second.link, onWay('node', 'replay', 1), (parcel) => {
        const { steps } = (parcel as unknown as { message: { steps: { given: unknown[] }[] } }).message;
        replayed.push(steps.length, ...steps.map(({ given }) => given.length));
        return [parcel];
      });
      void at(first.link, onWay('node', 'onward', 2 * 3 + 1), () => {
        first.link.cut();
        return [];
      });
      await exactAutoencoder(cluster);
      await again;
      expect(replayed).toEqual([3, 3, 3, 3]);
    } finally {
      await cluster.cluster.close();
    }
  });

  it('does the passes of a step again where a node turns out not to have done its last update between two of them', async () => {
    const bounds = { ...ENDLESS };
    const cluster = await testCluster(CONTENT, { local: 1, remotes: [1], fetchEvery: 100, bounds });
    try {
      const [{ link }] = cluster.nodes as [TestNode];
      let forwards = 0;
      link.toNode = (parcel) => {
        const kind = kindOf(parcel as AnyParcel);
        // Only the node's update is due then.
        Object.assign(bounds, kind === 'backward' ? { least: 300, most: 300 } : ENDLESS);
        if (kind === 'forward') forwards++;
        return [parcel];
      };
      const happened = at(link, onWay('coordinator', 'updated', 2), (parcel) => {
        link.hold();
        return [parcel];
      });
      const training = exactAutoencoder(cluster);
      await happened;
      await until(() => forwards === 3);
      cluster.clock.advance(300);
      await until(() => cluster.cluster.status().nodes[0]?.state === 'behind');
      link.release();
      await training;
      expect(cluster.log).toEqual(['+node']);
    } finally {
      await cluster.cluster.close();
    }
  });

  it('fetches the state as soon as its replay log has so many bytes', async () => {
    const { unlabelledBatch } = tensorStep(1, 'stored', AUTOENCODER);
    const widths = [AUTOENCODER.layers[4]!.inputs, AUTOENCODER.layers[5]!.units, AUTOENCODER.layers[1]!.units];
    const bytesOfStep = widths.reduce((sum, width) => sum + width * Math.ceil(unlabelledBatch / 8) * 8 * 4, 0);
    const cluster = await testCluster(CONTENT, { local: 1, remotes: [1], fetchBytes: 3 * bytesOfStep });
    try {
      expect(tensorShardCount(AUTOENCODER, SHARDS)).toBe(SHARDS);
      let step = 0;
      const collected: number[] = [];
      cluster.nodes[0]!.link.toNode = (parcel) => {
        if (kindOf(parcel as AnyParcel) === 'collect') collected.push(step);
        return [parcel];
      };
      cluster.cluster.write(initialOf(AUTOENCODER));
      for (step = 1; step <= 7; step++) {
        const { logits, backward } = await cluster.cluster.forward(tensorStep(step, 'stored', AUTOENCODER));
        await backward(logits.map((logit) => logit / 1e3));
      }
      expect(collected).toEqual([3, 6]);
    } finally {
      await cluster.cluster.close();
    }
  });
});
