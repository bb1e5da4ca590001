// Tests the contract of an executor whose workers hold tensor shards, for every implementation. It comes on top of the
// contract of all executors.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layoutOf } from '../../src/models/dense/model.js';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import { sameBits } from '../bits.js';
import { CONTENT, type ExecutorUnderTest, expectState } from './executor.contract.js';
import { AUTOENCODER, initialOf, MODEL, SHAPE, tensorStep, trainTensorParallel } from './executor-work.js';
import { losing } from './losing.js';
import { oneThreadExecutor } from './one-thread-executor.js';

/** Declares the tests. seeds: as in describeExecutor(). */
export function describeTensorExecutor(
  name: string,
  create: () => Promise<ExecutorUnderTest>,
  seeds: readonly number[] = [1],
): void {
  describe(`${name}, tensor parallel:`, () => {
    let executor: Executor;
    let loseWorker: ExecutorUnderTest['loseWorker'];
    beforeAll(async () => {
      ({ executor, loseWorker } = await create());
    });
    afterAll(() => executor.close());

    describe.each([
      ['a classifier', MODEL],
      ['an autoencoder', AUTOENCODER],
    ])('%s', (_, model) => {
      let expected: TrainingState;
      beforeAll(async () => {
        expected = await trainTensorParallel(
          oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }),
          model,
        );
      });

      it('trains to the same bits as one thread', async () => {
        expectState(await trainTensorParallel(executor, model), expected);
      });

      it('goes on after a step that nobody gave a gradient to, which changed nothing', async () => {
        const initial = initialOf(model);
        executor.write(initial);
        await executor.forward(tensorStep(9, 'fresh', model));
        const { parameters } = await executor.read(layoutOf(model).length);
        expect(sameBits(parameters, initial.parameters!)).toBe(true);
        expectState(await trainTensorParallel(executor, model), expected);
      });

      it.each(seeds)('trains to the same bits when workers are lost at random moments (%i)', async (seed) => {
        expectState(await trainTensorParallel(losing(executor, loseWorker, seed), model), expected);
      });
    });
  });
}
