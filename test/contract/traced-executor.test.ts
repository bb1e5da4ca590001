// Tests that a traced executor keeps the contract of the executor that it wraps, and tells of every call.
import { describe, expect, it } from 'vitest';
import { TracedExecutor } from '../../coordinator/executors/traced-executor.js';
import type { Call } from '../../src/engine/timeline.js';
import { createThreadExecutor } from '../../worker/thread-executor.js';
import { CONTENT, describeExecutor } from './executor.contract.js';
import { ADAM, FRESH, INITIAL, MODEL, RANGES, SHAPE, SHARDS, shardSteps, tensorStep } from './executor-work.js';
import { describeTensorExecutor } from './tensor-executor.contract.js';

const twoThreads = () => createThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 2 } });

const create = async () => {
  const executor = await twoThreads();
  const traced = new TracedExecutor(executor, () => undefined);
  return { executor: traced, loseWorker: (index: number) => executor.loseThread(index) };
};
describeExecutor('a watched executor', create);
describeTensorExecutor('a watched executor', create);

describe('a watched executor', () => {
  it('tells of each call, when it was answered, who did what in it, on one clock', async () => {
    const calls: Call[] = [];
    const executor = new TracedExecutor(await twoThreads(), (call) => calls.push(call));
    executor.write(INITIAL);
    await executor.predict(MODEL, 'unlabelled', RANGES);
    const { update } = await executor.gradients(shardSteps(3, FRESH));
    await update(ADAM(1));
    const { logits, backward } = await executor.forward(tensorStep(3, 'fresh'));
    await backward(logits.map(() => 0));
    await executor.close();

    const step = { stage: 0, step: 3 };
    expect(calls.map((call) => [call.kind, call.step, call.tasks.length])).toEqual([
      ['predict', undefined, SHARDS],
      ['gradients', step, SHARDS],
      ['update', step, 2],
      ['tensor-step', step, 2],
    ]);
    const parts = {
      predict: ['predict'],
      gradients: ['input', 'forward', 'backward'],
      update: ['update'],
      'tensor-step': ['input', 'forward', 'wait', 'backward'],
    };
    let before = 0;
    for (const { kind, called, answered, tasks } of calls) {
      expect(called).toBeGreaterThanOrEqual(before);
      before = answered;
      for (const task of tasks) {
        expect(task.began).toBeGreaterThan(called);
        expect(task.ended).toBeLessThan(answered);
        expect(task.parts.map(([part]) => part)).toEqual(parts[kind]);
        const sum = task.parts.reduce((total, [, milliseconds]) => total + milliseconds, 0);
        expect(sum).toBeGreaterThan(0);
        expect(sum).toBeLessThanOrEqual(task.ended - task.began);
      }
    }
    expect(new Set(calls.flatMap(({ tasks }) => tasks.map(({ worker }) => worker))).size).toBe(2);
  });

  it('tells of no call that was rejected', async () => {
    const calls: Call[] = [];
    const executor = new TracedExecutor(await twoThreads(), (call) => calls.push(call));
    await executor.close();
    await expect(executor.gradients(shardSteps(1, FRESH))).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
    expect(calls).toEqual([]);
  });
});
