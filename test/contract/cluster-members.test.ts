// Tests who may join a cluster, who is told what, and what happens to a run when no machine is left.
import { afterEach, describe, expect, it } from 'vitest';
import { statusFrom } from '../../coordinator/commands/status.js';
import { subtreesOf } from '../../src/collectives/tree.js';
import type { Numerics } from '../../src/models/fingerprint.js';
import { joinRun } from '../../worker/node-host.js';
import { sameBits } from '../bits.js';
import { CONTENT } from './executor.contract.js';
import { ADAM, FRESH, INITIAL, LENGTH, MODEL, RANGES, SHAPE, SHARDS, shardSteps, trainMixed } from './executor-work.js';
import { memoryLink } from './memory-channel.js';
import { oneThreadExecutor } from './one-thread-executor.js';
import {
  A_LONG_TIME,
  ENDLESS,
  type TestCluster,
  type TestClusterOptions,
  type TestNode,
  testCluster,
} from './test-cluster.js';

let made: TestCluster | undefined;
afterEach(async () => {
  for (const { link } of made?.nodes ?? []) link.release();
  await made?.cluster.close();
  made = undefined;
});

/** An arena without room for tensor shards. Each tensor shard reads all images. */
const BY_ROWS = { ...CONTENT, shape: { ...SHAPE, tensorShardBytes: 0, shardGroupBytes: 0 } };

async function clusterOf(options: Partial<TestClusterOptions> = {}): Promise<TestCluster> {
  made = await testCluster(BY_ROWS, { local: 1, remotes: [], ...options });
  return made;
}

const expected = trainMixed(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }));

describe('a cluster', () => {
  it('refuses a node that computes other bits, and says so to both', async () => {
    const { join, log, cluster } = await clusterOf();
    const { ended } = await join(1, { name: 'odd', fingerprintOf: () => 'another' });
    expect(await ended).toMatchObject({ kind: 'refused', error: { code: 'E_NUMERICS' } });
    expect(log).toEqual(['!odd E_NUMERICS']);
    expect(cluster.status().nodes).toEqual([]);
  });

  it('asks a node for the same convolutions where networks of layers are trained, and only there', async () => {
    const fingerprintOf = (numerics: Numerics) => (numerics === 'layers' ? 'another' : 'of tests');
    const { join, log, cluster } = await clusterOf({ numerics: 'layers' });
    const { ended } = await join(1, { name: 'odd', fingerprintOf });
    expect(await ended).toMatchObject({ kind: 'refused', error: { code: 'E_NUMERICS' } });
    expect(log).toEqual(['!odd E_NUMERICS']);
    await cluster.close();
    const dense = await clusterOf();
    await dense.join(1, { name: 'odd', fingerprintOf });
    expect(dense.log).toEqual(['+odd']);
  });

  it('lets such a node in where that was allowed', async () => {
    const { join, log } = await clusterOf({ allowMixed: true });
    await join(1, { name: 'odd', fingerprintOf: () => 'another' });
    expect(log).toEqual(['+odd']);
  });

  it('tells an observer who computes, how fast, and what they exchanged', async () => {
    const { cluster, nodes } = await clusterOf({ remotes: [1, 2] });
    // Shards move with the measured speeds, so the requests to a node say what it must have sent.
    const asked = nodes.map(({ link }) => {
      const shards: number[][] = [];
      link.toNode = (parcel) => {
        if ('message' in parcel && parcel.message.kind === 'gradients')
          shards.push(parcel.message.steps.map(({ shard }) => shard));
        return [parcel];
      };
      return shards;
    });
    await trainMixed(cluster);
    const link = memoryLink();
    const [status] = await Promise.all([statusFrom(link.node), cluster.admit(link.coordinator)]);
    expect(status).toMatchObject({
      steps: 6,
      shards: SHARDS,
      nodes: [
        { name: 'node', workers: 1, state: 'working', lostWorkers: 0 },
        { name: 'node-2', workers: 2, state: 'working', lostWorkers: 0 },
      ],
    });
    const vector = LENGTH * 4;
    for (const [n, { shards, rowsPerSecond, bytesSent, bytesReceived }] of status.nodes.entries()) {
      const sums = asked[n]!.reduce((count, of) => count + subtreesOf(new Set(of), SHARDS).length, 0);
      expect(sums).toBeGreaterThan(0);
      expect(bytesReceived).toBe(sums * vector);
      expect(shards).toBe(asked[n]!.at(-1)!.length);
      expect(rowsPerSecond).toBeGreaterThan(0);
      // A total is sent in each step; parameters and moments are sent once.
      expect(bytesSent).toBeGreaterThan((6 + 3) * vector);
    }
  });

  it('that only coordinates waits for a node, says so, and goes on to the same bits', async () => {
    const { cluster, join, log } = await clusterOf({ computes: false });
    const training = trainMixed(cluster);
    await expect.poll(() => log).toEqual(['waiting']);
    const first = await join(1);
    first.link.toCoordinator = (parcel) => {
      if ('message' in parcel && parcel.message.kind === 'computed' && parcel.message.request > 6) first.link.cut();
      return [parcel];
    };
    await first.ended;
    await join(1, { name: 'second' });
    const { parameters } = await training;
    expect(sameBits(parameters, (await expected).parameters)).toBe(true);
    expect(log).toEqual(['waiting', '+node', '-node E_CLOSED', 'waiting', '+second']);
  });

  it('that only coordinates stops at once when it is told to while nobody is there, and not while somebody is', async () => {
    const { cluster, join, log } = await clusterOf({ computes: false });
    cluster.write(INITIAL);
    const waiting = expect(cluster.gradients(shardSteps(1, FRESH))).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
    await expect.poll(() => log).toEqual(['waiting']);
    cluster.machines.stop();
    await waiting;
    await join(1);
    const { update } = await cluster.gradients(shardSteps(1, FRESH));
    await update(ADAM(1));
  });

  it('that only coordinates ends in E_NODES when nobody comes', async () => {
    const { cluster, clock, log } = await clusterOf({ computes: false, patienceMs: 50 });
    cluster.write(INITIAL);
    const step = expect(cluster.gradients(shardSteps(1, FRESH))).rejects.toMatchObject({ code: 'E_NODES' });
    await expect.poll(() => log).toEqual(['waiting']);
    clock.advance(50);
    await step;
    const refused = { code: 'E_NODES', message: expect.stringContaining('0 of 1') };
    const first = expect(cluster.machines.waitFor(1, 50)).rejects.toMatchObject(refused);
    clock.advance(50);
    await first;
  });

  it('goes on alone when all nodes are gone', async () => {
    const { cluster, nodes } = await clusterOf({ remotes: [1, 1] });
    cluster.write(INITIAL);
    await cluster.predict(MODEL, 'unlabelled', RANGES);
    const { update } = await cluster.gradients(shardSteps(1, FRESH));
    for (const { link } of nodes) link.cut();
    await update(ADAM(1));
    const { parameters } = await trainMixed(cluster);
    expect(sameBits(parameters, (await expected).parameters)).toBe(true);
  });

  it('says, once a stage, that its node makes it slower, where sums are long on their way', async () => {
    const { cluster, clock, nodes, log } = await clusterOf({ remotes: [1], bounds: ENDLESS });
    const [{ link }] = nodes as [TestNode];
    const steps = async (stage: number, count: number) => {
      for (let t = 1; t <= count; t++) {
        const { update } = await cluster.gradients(shardSteps(t, FRESH).map((step) => ({ ...step, stage })));
        await update(ADAM(t));
      }
    };
    cluster.write(INITIAL);
    await steps(0, 2);
    await steps(0, 4);
    link.toCoordinator = (parcel) => {
      if ('tag' in parcel) clock.advance(A_LONG_TIME);
      return [parcel];
    };
    await steps(1, 22);
    expect(log).toEqual([
      '+node',
      expect.stringMatching(/^1 node makes this run slower .* of 100 rows .* Gbit\/s; use a/),
    ]);
  });

  it('says to its nodes that the run is over', async () => {
    const { cluster, nodes } = await clusterOf({ remotes: [1] });
    await cluster.close();
    expect(await nodes[0]!.ended).toEqual({ kind: 'finished' });
  });
});

describe('joinRun', () => {
  const listener = (told: string[]) => ({
    joined: () => void told.push('joined'),
    lost: ({ code }: { code: string }) => void told.push(code),
  });
  const options = { name: 'node', workers: 1, fingerprintOf: () => 'of tests', signal: new AbortController().signal };

  it('joins again when the connection was lost, until the run is over', async () => {
    const { cluster } = await clusterOf();
    const told: string[] = [];
    const links: ReturnType<typeof memoryLink>[] = [];
    const connect = async () => {
      const link = memoryLink();
      links.push(link);
      void cluster.admit(link.coordinator).then(() => (links.length === 1 ? link.cut() : cluster.close()));
      return link.node;
    };
    expect(await joinRun(connect, options, listener(told))).toBe('finished');
    expect(told).toEqual(['joined', 'E_CLOSED', 'joined']);
  });

  it('ends as one that left when it is told to while it tries to connect', async () => {
    const stop = new AbortController();
    const connect = () => {
      stop.abort();
      return Promise.reject(stop.signal.reason);
    };
    expect(await joinRun(connect, { ...options, signal: stop.signal }, listener([]))).toBe('left');
  });

  it('does not try again where it was refused, and throws what connecting throws', async () => {
    const { cluster } = await clusterOf();
    const told: string[] = [];
    const connect = async () => {
      const link = memoryLink();
      void cluster.admit(link.coordinator);
      return link.node;
    };
    await expect(
      joinRun(connect, { ...options, fingerprintOf: () => 'another' }, listener(told)),
    ).rejects.toMatchObject({
      code: 'E_NUMERICS',
    });
    expect(told).toEqual(['joined']);
    const failing = () => Promise.reject(new Error('no way there'));
    await expect(joinRun(failing, options, listener(told))).rejects.toThrow('no way there');
  });
});
