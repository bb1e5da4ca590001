// The contract of a node whose products are of bfloat16, to be run on every implementation: the same bits as one thread, which the rest of
// the contract asks of floats.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import { FASTEST_BF16 as precision } from '../bf16.js';
import { CONTENT, type Content, type ExecutorUnderTest, expectState } from './executor.contract.js';
import { MODEL, RANGES, shapeOf, trainMixed, trainTensorParallel } from './executor-work.js';
import { losing } from './losing.js';
import { oneThreadExecutor } from './one-thread-executor.js';

export function describeBf16Executor(name: string, create: (content: Content) => Promise<ExecutorUnderTest>): void {
  describe(`${name}, in ${precision}`, () => {
    const model = { ...MODEL, precision };
    const content = { ...CONTENT, shape: shapeOf(model) };
    const oracle = () => oneThreadExecutor({ ...content, shape: { ...content.shape, workspaces: 1 } });
    let node: Executor;
    let loseWorker: ExecutorUnderTest['loseWorker'];
    let byRows: TrainingState;
    let byTensorShards: TrainingState;

    beforeAll(async () => {
      ({ node, loseWorker } = await create(content));
      byRows = await trainMixed(oracle(), model);
      byTensorShards = await trainTensorParallel(oracle(), model);
    });
    afterAll(() => node.close());

    it('trains to the same bits as one thread, data parallel and tensor parallel, in turns', async () => {
      expectState(await trainMixed(node, model), byRows);
      expectState(await trainTensorParallel(node, model), byTensorShards);
      expectState(await trainMixed(node, model), byRows);
    });

    it('trains to the same bits when workers are lost at random moments', async () => {
      const lossy = losing(node, loseWorker, 1);
      expectState(await trainMixed(lossy, model), byRows);
      expectState(await trainTensorParallel(lossy, model), byTensorShards);
    });

    it('predicts by the parameters that were written last', async () => {
      const expected = oracle();
      for (const { parameters } of [byRows, byTensorShards]) {
        node.write({ parameters });
        expected.write({ parameters });
        const classesOf = async (of: Pick<Executor, 'predict'>) =>
          (await of.predict(model, 'unlabelled', RANGES)).map(({ classes, confidences }) => ({ classes, confidences }));
        expect(await classesOf(node)).toEqual(await classesOf(expected));
      }
    });
  });
}
