// Tests tensor-parallel steps on the ranks of a job. Each rank holds only the state of its own tensor shards, and the
// run may switch to data-parallel steps and back.
import { afterEach, describe, expect, it } from 'vitest';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { tensorShardRoom } from '../../src/models/dense/tensor-layout.js';
import type { Executor } from '../../src/training/executor.js';
import type { ThreadExecutor } from '../../worker/thread-executor.js';
import { sameBits } from '../bits.js';
import { CONTENT, expectState } from './executor.contract.js';
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
  tensorStep,
  trainTensorParallel,
} from './executor-work.js';
import { type Job, jobOf, of } from './mpi-job.js';
import { oneThreadExecutor } from './one-thread-executor.js';

const SHALLOW = modelOf([400, 600, 400], { inputDropout: 0, dropout: [0.5], objective: 'reconstruction' });

describe('the ranks of a job, tensor parallel,', () => {
  let job: Job | undefined;
  afterEach(async () => {
    await job?.end();
    job = undefined;
  });

  it('hold the state of their own tensor shards alone, until it is read', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks, nodes } = job;
    const unchanged = async (node: ThreadExecutor) => {
      const { parameters } = await node.read(LENGTH);
      const inLayer = (from: number, end: number) =>
        sameBits(parameters.subarray(from, end), INITIAL.parameters!.subarray(from, end));
      // These are the weights of the hidden units. Rank 0 has the first half of them.
      const [pixels, half] = [MODEL.layers[0]!.inputs, 656];
      return [inLayer(0, half * pixels), inLayer(half * pixels, MODEL.layers[0]!.units * pixels)];
    };
    ranks.write(INITIAL);
    const { logits, backward } = await ranks.forward(tensorStep(1, 'fresh'));
    await backward(logits.map((logit) => logit / 1e3));
    // Rank 1 has done its update when it answers the next request.
    await ranks.forward(tensorStep(2, 'fresh'));
    expect(await unchanged(nodes[0]!)).toEqual([false, true]);
    expect(await unchanged(nodes[1]!)).toEqual([true, false]);
    const read = await ranks.read(LENGTH);
    expect(await unchanged(nodes[0]!)).toEqual([false, false]);
    expect(sameBits(read.parameters, (await nodes[0]!.read(LENGTH)).parameters)).toBe(true);
  });

  it.each([[[1, 1]], [[1, 1, 1, 1, 1, 1]]] as [[number, ...number[]]][])(
    'go over from rows to hidden units, to predictions, and back (%j)',
    async (workers) => {
      // If there are more ranks than tensor shards, the last ranks have none.
      job = await jobOf(CONTENT, of(...workers));
      const oracle = oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } });
      const train = async (node: Executor) => {
        await trainTensorParallel(node);
        const predicted = await node.predict(MODEL, 'unlabelled', RANGES);
        await node.forward(tensorStep(1, 'fresh'));
        const { logits, backward } = await node.forward(tensorStep(7, 'stored'));
        await backward(logits.map((logit) => logit / 1e3));
        const { update } = await node.gradients(shardSteps(8, { ...FRESH, pseudoLabels: 'stored' }));
        await update(ADAM(8));
        const again = await node.forward(tensorStep(9, undefined));
        await again.backward(again.logits.map((logit) => logit / 1e3));
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
    // The last ranks have no tensor shard.
    ['one with a middle', AUTOENCODER, [1, 1, 1, 1, 1, 1]],
  ] as [string, DenseModel, [number, ...number[]]][])(
    'train an autoencoder tensor parallel, %s',
    async (_, model, workers) => {
      const room = tensorShardRoom(model, { rows: 96, clean: 0 }, SHARDS);
      const content = { ...CONTENT, shape: { ...shapeOf(model), ...room } };
      job = await jobOf(content, of(...workers));
      const train = async (node: Executor) => {
        const state = await trainTensorParallel(node, model);
        await node.forward(tensorStep(7, undefined, model));
        const { logits, backward } = await node.forward(tensorStep(8, undefined, model));
        await backward(logits.map((logit) => logit / 1e3));
        return [state, await node.read(layoutOf(model).length)] as const;
      };
      const [found, expected] = [
        await train(job.ranks),
        await train(oneThreadExecutor({ ...content, shape: { ...content.shape, workspaces: 1 } })),
      ];
      for (const [i, state] of found.entries()) expectState(state, expected[i]!);
    },
  );

  it('update nothing, not the middle either, where the gradient of an autoencoder is not finite', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks } = job;
    const initial = initialOf(AUTOENCODER);
    ranks.write(initial);
    const { logits, backward } = await ranks.forward(tensorStep(1, undefined, AUTOENCODER));
    const infinite = backward(logits.map(() => Number.POSITIVE_INFINITY));
    await expect(infinite).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
    const { parameters } = await ranks.read(layoutOf(AUTOENCODER).length);
    expect(sameBits(parameters, initial.parameters!)).toBe(true);
    expectState(
      await trainTensorParallel(ranks, AUTOENCODER),
      await trainTensorParallel(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }), AUTOENCODER),
    );
  });

  it('do not have a part of a state overwritten whose rest is elsewhere', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks } = job;
    ranks.write(INITIAL);
    const { logits, backward } = await ranks.forward(tensorStep(1, 'fresh'));
    await backward(logits.map(() => 0));
    expect(() => ranks.write({ parameters: INITIAL.parameters! })).toThrow('a part of a state');
    await ranks.read(LENGTH);
    ranks.write({ parameters: INITIAL.parameters! });
    await expect(backward(logits)).rejects.toThrow('after the latest forward pass');
  });
});
