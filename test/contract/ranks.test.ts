// The ranks of a job fulfil the contract of a node, and what only they promise: one tree for any number of them, and no step by different ranks.
import { afterEach, describe, expect, it } from 'vitest';
import { Ranks, type RanksOptions } from '../../coordinator/ranks/ranks.js';
import { layoutOf, type Model, modelOf } from '../../src/engine/model.js';
import { sliceRoom } from '../../src/engine/slices.js';
import type { Node } from '../../src/protocol/node.js';
import { tell } from '../../src/protocol/ranks.js';
import { createLocalNode, type LocalNode, type NodeOptions } from '../../worker/node.js';
import { serveRank } from '../../worker/rank.js';
import { sameBits } from '../bits.js';
import { describeBf16Node } from './bf16-node.contract.js';
import { memoryRanks } from './memory-collective.js';
import { CONTENT, type Content, describeNode, expectState } from './node.contract.js';
import {
  ADAM,
  AUTOENCODER,
  FRESH,
  INITIAL,
  initialOf,
  LENGTH,
  MODEL,
  RANGES,
  SHAPE,
  SHARDS,
  shapeOf,
  shardSteps,
  slicedStep,
  trainMixed,
  trainSliced,
} from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { describeSlicingNode } from './slicing-node.contract.js';
import { atWork, every } from './test-fleet.js';

interface Job {
  readonly ranks: Ranks;
  /** Of each rank. */
  readonly nodes: readonly LocalNode[];
  /** As rank 0 ends a run. */
  end(): Promise<void>;
}

const SHALLOW = modelOf([400, 600, 400], { inputDropout: 0, dropout: [0.5], objective: 'reconstruction' });

const OPTIONS: RanksOptions = { fingerprint: 'of tests', allowMixed: false, order: 'tree', checksumEvery: 2 };

interface Rank {
  readonly workers: number;
  readonly fingerprint?: string;
}

async function jobOf(
  content: Content,
  [here, ...others]: readonly [Rank, ...Rank[]],
  options: Partial<RanksOptions> = {},
): Promise<Job> {
  const local = await createLocalNode({ ...content, shape: { ...content.shape, lanes: here.workers } });
  const [collective, ...elsewhere] = memoryRanks(1 + others.length);
  const nodes: LocalNode[] = [local];
  const ended = elsewhere.map((of, i) => {
    const { workers, fingerprint = OPTIONS.fingerprint } = others[i]!;
    const create = async (nodeOptions: NodeOptions) => {
      nodes[i + 1] = await createLocalNode(nodeOptions);
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

const of = (...workers: [number, ...number[]]) => workers.map((each) => ({ workers: each })) as [Rank, ...Rank[]];

for (const workers of [
  [1, 1],
  [1, 2, 1],
] as [number, ...number[]][]) {
  const name = `a job of ranks with ${workers.join(', ')} workers`;
  const create = async (content: Content) => {
    const { ranks, nodes, end } = await jobOf(content, of(...workers));
    return {
      // The contract closes the node, and nobody would say bye to the others.
      node: new Proxy(ranks, {
        get: (target, name) => {
          if (name === 'close') return end;
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
      loseWorker: async (index: number) => {
        const threads = nodes.flatMap((node) => Array.from({ length: node.workers }, (_, t) => [node, t] as const));
        const [node, thread] = threads[index]!;
        if (node !== nodes[0]) await atWork(node);
        await node.loseThread(thread);
      },
    };
  };
  describeNode(name, create);
  describeSlicingNode(name, () => create(CONTENT));
  describeBf16Node(name, create);
}

describe('the ranks of a job', () => {
  let job: Job | undefined;
  afterEach(async () => {
    await job?.end();
    job = undefined;
  });

  it('hold the same parameters and moments after every update', async () => {
    job = await jobOf(CONTENT, of(1, 1, 1));
    const { parameters, firstMoment, secondMoment } = await trainMixed(job.ranks);
    for (const node of job.nodes) {
      const found = await node.read(LENGTH);
      expect(sameBits(found.parameters, parameters)).toBe(true);
      expect(sameBits(found.firstMoment, firstMoment)).toBe(true);
      expect(sameBits(found.secondMoment, secondMoment)).toBe(true);
    }
  });

  it.each([[[3, 1]], [[1, 1, 1, 1, 1]]] as [[number, ...number[]]][])(
    'sum in the tree of the shards, whatever part of it each has (%j)',
    async (workers) => {
      const expected = await jobOf(CONTENT, of(1));
      const { parameters } = await trainMixed(expected.ranks);
      await expected.end();
      job = await jobOf(CONTENT, of(...workers));
      expect(sameBits((await trainMixed(job.ranks)).parameters, parameters)).toBe(true);
    },
  );

  it('sum in another order where that is asked for, all with the same bits, close to those of the tree', async () => {
    const tree = await jobOf(CONTENT, of(1, 1, 1));
    const { parameters } = await trainMixed(tree.ranks);
    await tree.end();
    job = await jobOf(CONTENT, of(1, 1, 1), { order: 'any' });
    const found = (await trainMixed(job.ranks)).parameters;
    expect(sameBits(found, parameters)).toBe(false);
    expect(found.reduce((most, value, i) => Math.max(most, Math.abs(value - parameters[i]!)), 0)).toBeLessThan(1e-2);
    for (const node of job.nodes) expect(sameBits((await node.read(LENGTH)).parameters, found)).toBe(true);
  });

  it.each(['tree', 'any'] as const)('make no update where the sum is not finite (%s)', async (order) => {
    job = await jobOf(CONTENT, of(1, 1), { order });
    job.ranks.write(INITIAL);
    await job.ranks.gradients(shardSteps(1, FRESH));
    // In the last part of the vector, which rank 1 sums.
    const { memory, regions } = job.nodes[0]!.arena;
    new Float32Array(memory.buffer, regions.slots, LENGTH)[LENGTH - 2] = Number.POSITIVE_INFINITY;
    await expect(job.ranks.update(MODEL, SHARDS, ADAM(1))).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
    for (const node of job.nodes)
      expect(sameBits((await node.read(LENGTH)).parameters, INITIAL.parameters!)).toBe(true);
  });

  it('do not begin where one of them computes other bits, unless that is allowed', async () => {
    const mixed: [Rank, ...Rank[]] = [{ workers: 1 }, { workers: 1, fingerprint: 'of another machine' }];
    await expect(jobOf(CONTENT, mixed)).rejects.toMatchObject({
      code: 'E_NUMERICS',
      message: expect.stringContaining('rank 1'),
    });
    job = await jobOf(CONTENT, mixed, { allowMixed: true });
    expect(job.ranks.workers).toBe(2);
  });

  it('are stopped when the parameters of one of them drift', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks, nodes } = job;
    await trainMixed(ranks);
    const { memory, regions } = nodes[1]!.arena;
    new Float32Array(memory.buffer, regions.parameters, LENGTH)[5]! += 1;
    const step = async (t: number) => {
      await ranks.gradients(shardSteps(t, undefined));
      await ranks.update(MODEL, SHARDS, ADAM(t));
    };
    await step(7);
    await expect(step(8)).rejects.toMatchObject({ code: 'E_DRIFT', message: expect.stringContaining('rank 1') });
  });

  it('hold the state of their own slices alone, until it is read', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks, nodes } = job;
    const unchanged = async (node: LocalNode) => {
      const { parameters } = await node.read(LENGTH);
      const inLayer = (from: number, end: number) =>
        sameBits(parameters.subarray(from, end), INITIAL.parameters!.subarray(from, end));
      // The weights of the hidden units: rank 0 has the first half of them.
      const [pixels, half] = [MODEL.layers[0]!.inputs, 656];
      return [inLayer(0, half * pixels), inLayer(half * pixels, MODEL.layers[0]!.units * pixels)];
    };
    ranks.write(INITIAL);
    const { logits } = await ranks.forward(slicedStep(1, 'fresh'));
    await ranks.backward(logits.map((logit) => logit / 1e3));
    // Rank 1 has done its update when it answers the next question.
    await ranks.forward(slicedStep(2, 'fresh'));
    expect(await unchanged(nodes[0]!)).toEqual([false, true]);
    expect(await unchanged(nodes[1]!)).toEqual([true, false]);
    const read = await ranks.read(LENGTH);
    expect(await unchanged(nodes[0]!)).toEqual([false, false]);
    expect(sameBits(read.parameters, (await nodes[0]!.read(LENGTH)).parameters)).toBe(true);
  });

  it.each([[[1, 1]], [[1, 1, 1, 1, 1, 1]]] as [[number, ...number[]]][])(
    'go over from rows to hidden units, to predictions, and back (%j)',
    async (workers) => {
      // The last ranks have no slice where there are more of them than slices.
      job = await jobOf(CONTENT, of(...workers));
      const oracle = oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } });
      const train = async (node: Node) => {
        await trainSliced(node);
        const predicted = await node.predict(MODEL, 'unlabelled', RANGES);
        await node.forward(slicedStep(1, 'fresh'));
        const { logits } = await node.forward(slicedStep(7, 'stored'));
        await node.backward(logits.map((logit) => logit / 1e3));
        await node.gradients(shardSteps(8, { ...FRESH, pseudoLabels: 'stored' }));
        await node.update(MODEL, SHARDS, ADAM(8));
        const again = await node.forward(slicedStep(9, undefined));
        await node.backward(again.logits.map((logit) => logit / 1e3));
        return { predicted: predicted.map(({ classes }) => [...classes]), state: await node.read(LENGTH) };
      };
      const [found, expected] = [await train(job.ranks), await train(oracle)];
      expect(found.predicted).toEqual(expected.predicted);
      expectState(found.state, expected.state);
    },
  );

  it.each([
    ['a shallow one', SHALLOW, [1, 1]],
    ['a shallow one', SHALLOW, [1, 2, 1]],
    // The last ranks have no slice.
    ['one with a middle', AUTOENCODER, [1, 1, 1, 1, 1, 1]],
  ] as [string, Model, [number, ...number[]]][])(
    'train an autoencoder by hidden units, %s',
    async (_, model, workers) => {
      const room = sliceRoom(model, { rows: 96, clean: 0 }, SHARDS);
      const content = { ...CONTENT, shape: { ...shapeOf(model), ...room } };
      job = await jobOf(content, of(...workers));
      const train = async (node: Node) => {
        const state = await trainSliced(node, model);
        await node.forward(slicedStep(7, undefined, model));
        const { logits } = await node.forward(slicedStep(8, undefined, model));
        await node.backward(logits.map((logit) => logit / 1e3));
        return [state, await node.read(layoutOf(model).length)] as const;
      };
      const [found, expected] = [
        await train(job.ranks),
        await train(oneThreadNode({ ...content, shape: { ...content.shape, lanes: 1 } })),
      ];
      for (const [i, state] of found.entries()) expectState(state, expected[i]!);
    },
  );

  it('update nothing, not the middle either, where the gradient of an autoencoder is not finite', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks } = job;
    const initial = initialOf(AUTOENCODER);
    ranks.write(initial);
    const { logits } = await ranks.forward(slicedStep(1, undefined, AUTOENCODER));
    const infinite = ranks.backward(logits.map(() => Number.POSITIVE_INFINITY));
    await expect(infinite).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
    const { parameters } = await ranks.read(layoutOf(AUTOENCODER).length);
    expect(sameBits(parameters, initial.parameters!)).toBe(true);
    expectState(
      await trainSliced(ranks, AUTOENCODER),
      await trainSliced(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }), AUTOENCODER),
    );
  });

  it('do not have a part of a state overwritten whose rest is elsewhere', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks } = job;
    ranks.write(INITIAL);
    const { logits } = await ranks.forward(slicedStep(1, 'fresh'));
    await ranks.backward(logits.map(() => 0));
    expect(() => ranks.write({ parameters: INITIAL.parameters! })).toThrow('a part of a state');
    await ranks.read(LENGTH);
    ranks.write({ parameters: INITIAL.parameters! });
    await expect(ranks.backward(logits)).rejects.toThrow('after a forward pass');
  });

  it('are told why one of them could not begin', async () => {
    const tooLarge = { ...CONTENT, shape: { ...SHAPE } };
    const huge: Rank = { workers: 100_000 }; // lanes for which there is no memory
    await expect(jobOf(tooLarge, [{ workers: 1 }, huge])).rejects.toMatchObject({
      code: 'E_MEMORY',
      message: expect.stringContaining('rank 1'),
    });
  });
});
