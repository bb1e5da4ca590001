// Training in bf16: the same bits for any number of workers, after the loss of one, and after a stop, by either strategy.

import { describe, expect, it } from 'vitest';
import { Dispatcher } from '../../coordinator/dispatcher.js';
import { FaultyExecutor } from '../../coordinator/executors/faulty-executor.js';
import { DataParallel } from '../../coordinator/strategies/data-parallel.js';
import { TensorParallel } from '../../coordinator/strategies/tensor-parallel.js';
import type { Position } from '../../coordinator/train.js';
import { normalise } from '../../src/training/config.js';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import { strategyOf } from '../../src/training/strategy-choice.js';
import { createThreadExecutor } from '../../worker/thread-executor.js';
import { FASTEST_BF16 as precision } from '../bf16.js';
import { sameBits } from '../bits.js';
import { oneThreadExecutor } from '../contract/one-thread-executor.js';
import { denseOf } from '../dense.js';
import { type Problem, trainInOneThread } from './oracle.js';
import { type Setting, SHARDS, settingOf } from './problems.js';
import { contentOf, listener, plans, trained } from './training.js';

function dispatcherOf(node: Executor, { shape: { unlabelled } }: Problem, strategy: 'data' | 'auto'): Dispatcher {
  const strategies = { data: new DataParallel(node, SHARDS), tensor: new TensorParallel(node, SHARDS, unlabelled) };
  const counts = { unlabelled, validation: 0, test: 0 };
  return new Dispatcher(node, SHARDS, counts, (step) => strategies[strategyOf(normalise({ strategy }), step)]);
}

/** Of both objectives and both optimizers, and several stages; which labels count is nothing to bf16. */
const OTHERS: readonly string[] = [
  'fresh labels above a threshold, balanced',
  'labels refreshed every third step, above a threshold',
  'labels once, after supervised training',
];
const cases = plans.filter(({ name }) => !OTHERS.includes(name));

describe.each(cases)(`training in ${precision} with $name`, ({ stages }) => {
  const rounded = stages.map((stage) => ({ ...stage, model: { ...denseOf(stage.model), precision } }));
  const oneThread = ({ problem }: Setting, strategy: 'data' | 'auto') =>
    dispatcherOf(oneThreadExecutor(contentOf(problem)), problem, strategy);

  it.each(['data', 'auto'] as const)(
    'ends on the bits of one thread with two that lose one in each step: %s',
    async (strategy) => {
      const { problem, training } = await settingOf(rounded, 2);
      const expected =
        strategy === 'data'
          ? trainInOneThread(problem)
          : await trained(training, oneThread(await settingOf(rounded, 1), strategy));
      expect(expected.every(Number.isFinite)).toBe(true);
      const node = await createThreadExecutor(contentOf(problem));
      try {
        const lossy = new FaultyExecutor(node, new Set([0, 1, 2, 3, 4, 5, 6]));
        expect(sameBits(await trained(training, dispatcherOf(lossy, problem, strategy)), expected)).toBe(true);
        expect(node.health().lostWorkers).toBeGreaterThan(0);
      } finally {
        await node.close();
      }
    },
  );

  it.each(['data', 'auto'] as const)('resumed before any of its steps ends on the same bits: %s', async (strategy) => {
    const setting = await settingOf(rounded, 1);
    const dispatcher = oneThread(setting, strategy);
    const saved: { position: Position; state: TrainingState }[] = [];
    const before = async (position: Position) => {
      saved.push({ position, state: await dispatcher.read(rounded[position.stage]!.model) });
    };
    const expected = await trained(setting.training, dispatcher, listener({ before }));
    for (const { position, state } of saved) {
      const another = oneThread(setting, strategy);
      another.write(state);
      const found = await trained(setting.training, another, listener(), position);
      expect(sameBits(found, expected), JSON.stringify(position)).toBe(true);
    }
  });
});
