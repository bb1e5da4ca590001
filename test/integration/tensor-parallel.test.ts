// Tests tensor-parallel training: it has the same bits for any number of workers, after any loss of one, and after any
// stop.
import { describe, expect, it } from 'vitest';
import { Dispatcher } from '../../coordinator/dispatcher.js';
import { FaultyExecutor } from '../../coordinator/executors/faulty-executor.js';
import { DataParallel } from '../../coordinator/strategies/data-parallel.js';
import { TensorParallel } from '../../coordinator/strategies/tensor-parallel.js';
import type { Position } from '../../coordinator/train.js';
import { normalise } from '../../src/training/config.js';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import type { Stage } from '../../src/training/stage.js';
import { strategyOf } from '../../src/training/strategy-choice.js';
import { createThreadExecutor, type ThreadExecutor } from '../../worker/thread-executor.js';
import { sameBits } from '../bits.js';
import { oneThreadExecutor } from '../contract/one-thread-executor.js';
import { type Problem, trainInOneThread } from './oracle.js';
import { PLANS, type Setting, SHARDS, settingOf } from './problems.js';
import { contentOf, listener, plans, trained } from './training.js';

function dispatcherOf(node: Executor, { shape: { unlabelled }, unlabelled: images }: Problem): Dispatcher {
  const tensor = new TensorParallel(node, SHARDS, unlabelled, images);
  const strategies = { data: new DataParallel(node, SHARDS), tensor };
  const counts = { unlabelled, validation: 0, test: 0 };
  return new Dispatcher(
    node,
    SHARDS,
    counts,
    (step) => strategies[strategyOf(normalise({ strategy: 'tensor' }), step)],
  );
}

const inOneThread = ({ problem }: Setting): Dispatcher => dispatcherOf(oneThreadExecutor(contentOf(problem)), problem);

async function trainedOn(
  threads: number,
  stages: readonly Stage[],
  disturb = (node: ThreadExecutor): Executor => node,
) {
  const { problem, training } = await settingOf(stages, threads);
  const node = await createThreadExecutor(contentOf(problem));
  try {
    return { parameters: await trained(training, dispatcherOf(disturb(node), problem)), ...node.health() };
  } finally {
    await node.close();
  }
}

describe.each(plans)('training tensor parallel with $name', ({ stages }) => {
  it('ends on the same bits without threads, and with two of which one is lost in a pass of each step', async () => {
    const setting = await settingOf(stages, 1);
    const expected = await trained(setting.training, inOneThread(setting));
    expect(expected.every(Number.isFinite)).toBe(true);
    expect(sameBits(trainInOneThread(setting.problem), expected)).toBe(false);
    const steps = new Set(stages.flatMap(({ steps }) => Array.from({ length: steps }, (_, step) => step)));
    const { parameters, lostWorkers } = await trainedOn(2, stages, (node) => new FaultyExecutor(node, steps));
    expect(lostWorkers).toBeGreaterThan(0);
    expect(sameBits(parameters, expected)).toBe(true);
  });

  it('resumed before any of its steps ends on the same bits', async () => {
    const setting = await settingOf(stages, 1);
    const { training } = setting;
    const dispatcher = inOneThread(setting);
    const saved: { position: Position; state: TrainingState }[] = [];
    const beforeStep = async (position: Position) => {
      saved.push({ position, state: await dispatcher.read(stages[position.stage]!.model) });
    };
    const expected = await trained(training, dispatcher, listener({ beforeStep }));
    for (const { position, state } of saved) {
      const another = inOneThread(setting);
      another.write(state);
      const found = await trained(training, another, listener(), position);
      expect(sameBits(found, expected), JSON.stringify(position)).toBe(true);
    }
  });
});

describe('training tensor parallel', () => {
  it.each(['fresh labels above a threshold, balanced', 'an autoencoder, its first layer, and fresh labels'] as const)(
    'ends on the same bits with one worker, two, or three: %s',
    async (plan) => {
      const stages = PLANS[plan];
      const runs = [];
      for (const threads of [1, 2, 3]) runs.push((await trainedOn(threads, stages)).parameters);
      expect(sameBits(runs[1]!, runs[0]!)).toBe(true);
      expect(sameBits(runs[2]!, runs[0]!)).toBe(true);
    },
  );
});

describe('the coordinator of training tensor parallel', () => {
  it('gives no label away: neither true ones nor pseudo-labels', async () => {
    const { training, problem } = await settingOf(PLANS['fresh labels at each step'], 1);
    const node = oneThreadExecutor(contentOf(problem));
    const sent: object[] = [];
    const recording: Executor = {
      ...node,
      forward: (step) => {
        sent.push(step);
        return node.forward(step);
      },
    };
    await trained(training, dispatcherOf(recording, problem));
    const allowed = [
      'model',
      'seed',
      'stage',
      'step',
      'shards',
      'labelledImages',
      'unlabelledBatch',
      'labelsFresh',
      'optimizer',
    ];
    expect(sent).toHaveLength(7);
    for (const step of sent) expect(Object.keys(step).sort()).toEqual(allowed.toSorted());
    expect((await node.read(16)).pseudoLabels.every((label) => label === 0)).toBe(true);
  });
});
