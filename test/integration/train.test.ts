// Tests the training loop on threads against the oracle in one thread, and what a stopped run resumes with.
import { describe, expect, it } from 'vitest';
import { Dispatcher } from '../../coordinator/dispatcher.js';
import { DataParallel } from '../../coordinator/strategies/data-parallel.js';
import type { Position } from '../../coordinator/train.js';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import { createThreadExecutor } from '../../worker/thread-executor.js';
import { sameBits } from '../bits.js';
import { oneThreadExecutor } from '../contract/one-thread-executor.js';
import { type Problem, trainInOneThread } from './oracle.js';
import { PLANS, type Setting, SHARDS, settingOf } from './problems.js';
import { contentOf, listener, plans, trained } from './training.js';

function dispatcherOf(node: Executor, { shape: { unlabelled } }: Problem): Dispatcher {
  return new Dispatcher(node, SHARDS, { unlabelled, validation: 0, test: 0 }, () => new DataParallel(node, SHARDS));
}

const inOneThread = ({ problem }: Setting): Dispatcher => dispatcherOf(oneThreadExecutor(contentOf(problem)), problem);

describe.each(plans)('training with $name', ({ stages }) => {
  it('on a cluster of two threads ends on the bits of one thread without a cluster', async () => {
    const { problem, training } = await settingOf(stages, 2);
    const dispatcher = dispatcherOf(await createThreadExecutor(contentOf(problem)), problem);
    try {
      const expected = trainInOneThread(problem);
      expect(expected.every(Number.isFinite)).toBe(true);
      expect(sameBits(await trained(training, dispatcher), expected)).toBe(true);
      // The same run again, after other data has been in every part of the arena.
      expect(sameBits(await trained({ ...training, seed: 99 }, dispatcher), expected)).toBe(false);
      expect(sameBits(await trained(training, dispatcher), expected)).toBe(true);
    } finally {
      await dispatcher.close();
    }
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
    expect(saved).toHaveLength(stages.reduce((sum, { steps }) => sum + steps, 0));
    for (const { position, state } of saved) {
      const another = inOneThread(setting);
      another.write(state);
      const found = await trained(training, another, listener(), position);
      expect(sameBits(found, expected), JSON.stringify(position)).toBe(true);
    }
  });
});

describe('the training loop', () => {
  const once = PLANS['labels once, after supervised training'];
  const everyThird = PLANS['labels refreshed every third step, above a threshold'];

  it('tells what it does: stages, steps, rows, alpha, and labellings', async () => {
    const told: unknown[] = [];
    const { training, ...setting } = await settingOf(once, 1);
    const observer = listener({
      beforeStep: async (position) => void told.push(position),
      stageBegins: (stage, position, steps) => told.push([stage.name, position, steps]),
      afterLabelling: (_, step, { classes, confidences }) =>
        told.push(['labelled', step, classes.length, confidences.length]),
      afterStep: (_, step, { alpha, rows, counted }) => void told.push([step, alpha, rows, counted]),
    });
    await trained(training, inOneThread({ training, ...setting }), observer);
    const balance = { target: new Array(10).fill(0.1), predicted: new Array(10).fill(0.1) };
    const position = (stage: number, step: number) => ({ stage, step, methodState: stage === 0 ? {} : balance });
    expect(told).toEqual([
      ['supervised', position(0, 0), 3],
      ...[position(0, 0), [0, 0, 8, 0], position(0, 1), [1, 0, 8, 0], position(0, 2), [2, 0, 8, 0]],
      ['finetune', position(1, 0), 5],
      ...[position(1, 0), ['labelled', 0, 700, 700], [0, 0, 8, 0], position(1, 1), [1, 0, 8, 0]],
      ...[position(1, 2), [2, 1, 40, 32], position(1, 3), [3, 1, 6 + 32, 32], position(1, 4), [4, 3, 40, 32]],
    ]);
  });

  it('labels again every so many steps, and counts what changed', async () => {
    const setting = await settingOf(everyThird, 1);
    const dispatcher = inOneThread(setting);
    let last = new Uint16Array(700);
    const labelled: number[] = [];
    const observer = listener({
      afterLabelling: (_, step, { classes, flips }) => {
        labelled.push(step);
        expect(flips).toBe(classes.filter((label, i) => label !== last[i]).length);
        last = classes.slice();
      },
    });
    await trained(setting.training, dispatcher, observer);
    expect(labelled).toEqual([0, 3, 6]);
    expect(last).toEqual((await dispatcher.read(everyThird[0].model)).pseudoLabels);
  });

  it('ends every stage after as many steps as it may do', async () => {
    const { training, ...setting } = await settingOf(once, 1);
    const steps: Position[] = [];
    const observer = listener({ beforeStep: async (position) => void steps.push(position) });
    await trained({ ...training, maxSteps: 1 }, inOneThread({ training, ...setting }), observer);
    expect(steps).toMatchObject([
      { stage: 0, step: 0 },
      { stage: 1, step: 0 },
    ]);
  });

  it('stops where `before` throws, with the state of before that step', async () => {
    const setting = await settingOf(once, 1);
    const dispatcher = inOneThread(setting);
    const [{ model }] = once;
    let state = await dispatcher.read(model);
    const beforeStep = async ({ step }: Position) => {
      state = await dispatcher.read(model);
      if (step === 2) throw new Error('enough');
    };
    await expect(trained(setting.training, dispatcher, listener({ beforeStep }))).rejects.toThrow('enough');
    expect(await dispatcher.read(model)).toEqual(state);
  });

  it('stops at a gradient that is not finite and leaves the parameters as they were', async () => {
    const { training, problem } = await settingOf(
      [{ ...once[0], steps: 50, rate: { kind: 'constant', value: 1e30 } }],
      1,
    );
    const dispatcher = inOneThread({ training, problem });
    const [{ model }] = once;
    let state = await dispatcher.read(model);
    let position: Position | undefined;
    const beforeStep = async (next: Position) => {
      position = next;
      state = await dispatcher.read(model);
    };
    const diverging = trained(training, dispatcher, listener({ beforeStep }));
    await expect(diverging).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
    expect(position!.step).toBeGreaterThan(0);
    const found = await dispatcher.read(model);
    for (const part of ['parameters', 'firstMoment', 'secondMoment'] as const) {
      expect(sameBits(found[part], state[part]), part).toBe(true);
    }
  });

  it('refuses to start the first stage from one before it', async () => {
    const setting = await settingOf([{ ...once[0], start: 'previous' }], 1);
    await expect(trained(setting.training, inOneThread(setting))).rejects.toMatchObject({ code: 'E_CONFIG' });
  });

  it('sends each shard its part of the labelled rows of a step, and no labels besides', async () => {
    const { training, problem } = await settingOf(once, 1);
    const node = oneThreadExecutor(contentOf(problem));
    const sent: number[][] = [];
    const recording: Executor = {
      ...node,
      gradients: (steps) => {
        sent.push(steps.map(({ labelled }) => labelled?.labels.length ?? 0));
        for (const { labelled } of steps) {
          expect(labelled?.images.buffer.byteLength).toBe((labelled?.labels.length ?? 0) * 784);
        }
        return node.gradients(steps);
      },
    };
    await trained(training, dispatcherOf(recording, problem));
    expect(sent).toEqual([
      [2, 3, 3],
      [2, 3, 3],
      [2, 3, 3],
      [2, 3, 3],
      [2, 3, 3],
      [2, 3, 3],
      [2, 2, 2],
      [2, 3, 3],
    ]);
  });
});
