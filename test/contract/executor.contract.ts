// Tests the contract of an executor (src/training/executor.ts), for every implementation. The oracle is an executor
// without threads.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOG_VALUES } from '../../src/graph/hog.js';
import { modelOf } from '../../src/models/dense/model.js';
import type { Span } from '../../src/models/tasks.js';
import { keyOf, Stream } from '../../src/random.js';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import type { ThreadExecutorOptions } from '../../worker/thread-executor.js';
import { sameBits } from '../bits.js';
import {
  EVALUATION,
  FRESH,
  IMAGES,
  INITIAL,
  LENGTH,
  MODEL,
  RANGES,
  SHAPE,
  shardSteps,
  trainMixed,
  UNLABELLED,
} from './executor-work.js';
import { graphBy } from './graph-work.js';
import { losing } from './losing.js';
import { oneThreadExecutor } from './one-thread-executor.js';

export interface ExecutorUnderTest {
  readonly executor: Executor;
  /** Ends one of the executor's workers as a crash would. */
  readonly loseWorker: (index: number) => Promise<void>;
  /**
   * Resolves when no worker has anything left to do. An executor that is late with an answer goes on with it after its
   * phase.
   */
  readonly settled?: () => Promise<void>;
}

/** The content of the arena. The implementation chooses the workspaces. */
export type Content = Omit<ThreadExecutorOptions, 'shape'> & {
  readonly shape: Omit<ThreadExecutorOptions['shape'], 'workspaces'>;
};

export const CONTENT: Content = { shape: SHAPE, images: IMAGES };

export function expectState(found: TrainingState, expected: TrainingState): void {
  for (const part of ['parameters', 'firstMoment', 'secondMoment', 'confidences'] as const) {
    expect(sameBits(found[part], expected[part]), part).toBe(true);
  }
  expect(found.average !== undefined && sameBits(found.average, expected.average!), 'average').toBe(true);
  expect(found.pseudoLabels).toEqual(expected.pseudoLabels);
}

const untimed = <T extends { milliseconds: unknown; span?: Span }>(results: readonly T[]) =>
  results.map(({ milliseconds: _, span: __, ...result }) => result);

/**
 * Declares the tests. seeds: those of the moments at which workers are lost. One is enough if other tests lose the same
 * threads at more moments.
 */
export function describeExecutor(
  name: string,
  create: (content: Content) => Promise<ExecutorUnderTest>,
  seeds: readonly number[] = [1],
): void {
  describe(name, () => {
    let executor: Executor;
    let loseWorker: ExecutorUnderTest['loseWorker'];
    let settled: ExecutorUnderTest['settled'];
    const oracle = oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } });
    let expected: TrainingState;

    beforeAll(async () => {
      ({ executor, loseWorker, settled } = await create(CONTENT));
      expected = await trainMixed(oracle);
    });
    afterAll(() => executor.close());
    beforeEach(() => {
      executor.write(INITIAL);
      oracle.write(INITIAL);
    });

    it('trains to the same bits as one thread', async () => {
      expectState(await trainMixed(executor), expected);
    });

    it('answers every shard of a step, in order, with what one thread would', async () => {
      const steps = shardSteps(1, FRESH).toReversed();
      const { results } = await executor.gradients(steps);
      expect(untimed(results)).toEqual(untimed((await oracle.gradients(steps)).results));
      expect(results.map(({ rows }) => rows)).toEqual([26, 24, 26, 24]);
    });

    it.each([
      [
        'unlabelled',
        [
          [10, 300],
          [3, 4],
          [5, 5],
          [300, 590],
        ],
      ], // One of these ranges is longer than a batch.
      [
        'evaluation',
        [
          [90, EVALUATION],
          [0, 60],
        ],
      ],
    ] as const)('predicts the ranges of the %s images, and nothing else', async (set, ranges) => {
      const states = [];
      const answers = [];
      for (const on of [executor, oracle]) {
        on.write({ pseudoLabels: new Uint16Array(UNLABELLED).fill(60_000) });
        answers.push(untimed(await on.predict(MODEL, set, ranges)));
        states.push((await on.read(LENGTH)).pseudoLabels);
      }
      expect(answers[0]).toEqual(answers[1]);
      expect(answers[0]!.map(({ classes }) => classes.length)).toEqual(ranges.map(([start, end]) => end - start));
      expect(states[0]).toEqual(states[1]);
    });

    it('stores the labels of unlabelled images, counts those that changed, and leaves them for other images', async () => {
      const labels = new Uint16Array(UNLABELLED).fill(60_000);
      executor.write({ pseudoLabels: labels });
      await executor.predict(MODEL, 'evaluation', [[0, EVALUATION]]);
      expect((await executor.read(LENGTH)).pseudoLabels).toEqual(labels);

      const first = await executor.predict(MODEL, 'unlabelled', RANGES);
      expect(first.map(({ flips }) => flips)).toEqual(RANGES.map(([start, end]) => end - start));
      const { pseudoLabels, confidences } = await executor.read(LENGTH);
      expect([...pseudoLabels]).toEqual(first.flatMap(({ classes }) => [...classes]));
      expect([...confidences]).toEqual(first.flatMap((result) => [...result.confidences]));

      executor.write({ pseudoLabels: pseudoLabels.map((label, i) => (i < 7 ? label + 1 : label)) });
      const again = await executor.predict(MODEL, 'unlabelled', RANGES);
      expect(again.map(({ flips }) => flips)).toEqual([7, 0, 0, 0]);
    });

    it('describes images and finds neighbours as one thread does', async () => {
      const found = await graphBy(executor);
      expect(found).toEqual(await graphBy(oracle));
      expect(found.gradients!.map((values) => (values as Float32Array).length / HOG_VALUES)).toEqual([37, 0, 6, 43]);
      expect((found.neighbours as Uint32Array[]).map(({ length }) => length)).toEqual([3 * 256, 0, 3 * 256, 3 * 88]);
    });

    it('reads back what was written, as copies, and keeps what was not', async () => {
      const stream = new Stream(keyOf(3, 'split', 7));
      const some = (length: number) => Float32Array.from({ length }, () => stream.uniform());
      const state: TrainingState = {
        parameters: some(LENGTH),
        firstMoment: some(LENGTH),
        secondMoment: some(LENGTH),
        average: some(LENGTH),
        pseudoLabels: Uint16Array.from({ length: UNLABELLED }, () => stream.below(10)),
        confidences: some(UNLABELLED),
      };
      executor.write(state);
      expectState(await executor.read(LENGTH), state);
      (await executor.read(LENGTH)).parameters.fill(0);
      expectState(await executor.read(LENGTH), state);
      const start = some(LENGTH - 100);
      executor.write({ secondMoment: start });
      const mixed = Float32Array.from(state.secondMoment);
      mixed.set(start);
      expectState(await executor.read(LENGTH), { ...state, secondMoment: mixed });
      expect((await executor.read(16)).parameters).toEqual(state.parameters.subarray(0, 16));
    });

    it('rejects with what went wrong in a task, and goes on working', async () => {
      const tooLarge = modelOf([400, 10 ** 8, 10], { inputDropout: 0, dropout: [], objective: 'softmax' });
      const [step] = shardSteps(1, FRESH);
      await expect(executor.gradients([{ ...step!, model: tooLarge }])).rejects.toThrow(/length|offset|range|bounds/i);
      expectState(await trainMixed(executor), expected);
    });

    it('counts the tasks that were lost with a worker, and does them again', async () => {
      const steps = shardSteps(2, FRESH);
      const found = untimed((await oracle.gradients(steps)).results);
      const before = executor.health().lostWorkers;
      // A task may be done before its worker is gone. Then nothing is lost, and nothing is counted. A member that was
      // measured to be slow gets no work and has nothing to lose, so the loop tries each worker in turn.
      for (let tries = 0; executor.health().lostWorkers === before; tries++) {
        const working = executor.gradients(steps);
        await loseWorker(tries % executor.workers);
        expect(untimed((await working).results)).toEqual(found);
        await settled?.(); // Otherwise the next loss would be of the worker that replaces this one.
      }
      expect(executor.health().lostWorkers).toBe(before + 1);
    });

    it('loses nothing with a worker that had nothing to do', async () => {
      const before = executor.health().lostWorkers;
      await loseWorker(0);
      expectState(await trainMixed(executor), expected);
      expect(executor.health().lostWorkers).toBe(before);
    });

    it.each(seeds)('trains to the same bits when workers are lost at random moments (%i)', async (seed) => {
      const lossy = losing(executor, loseWorker, seed);
      expectState(await trainMixed(lossy), expected);
      expect(await graphBy(lossy)).toEqual(await graphBy(executor));
    });
  });

  describe(`${name}, closed`, () => {
    it('rejects what it was doing, what waits, and what comes later', async () => {
      const { executor } = await create(CONTENT);
      executor.write(INITIAL);
      const steps = Array.from({ length: 40 }, (_, step) => shardSteps(step, FRESH)).flat();
      const working = [executor.gradients(steps), executor.predict(MODEL, 'unlabelled', RANGES)];
      const settled = Promise.allSettled(working);
      await sleep(5);
      await executor.close();
      for (const result of [
        ...(await settled),
        ...(await Promise.allSettled([executor.gradients(shardSteps(1, FRESH))])),
      ]) {
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'E_INTERRUPTED' } });
      }
    });
  });
}
