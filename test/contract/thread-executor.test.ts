// Tests the thread executor: the contract with one to three threads, and what can only go wrong with threads.
import type { EventEmitter } from 'node:events';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { built } from '../../src/files/read.js';
import { createThreadExecutor, type ThreadExecutor } from '../../worker/thread-executor.js';
import { folderOfTest } from '../folders.js';
import { CONTENT, describeExecutor } from './executor.contract.js';
import { FRESH, INITIAL, LENGTH, MODEL, RANGES, SHAPE, shardSteps } from './executor-work.js';
import { describeTensorExecutor } from './tensor-executor.contract.js';

const executorOf = (threads: number): Promise<ThreadExecutor> =>
  createThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: threads } });

/** Makes an executor whose images are black. */
const executorOfMany = (threads: number, unlabelled: number): Promise<ThreadExecutor> =>
  createThreadExecutor({ shape: { ...SHAPE, unlabelled, workspaces: threads } });

for (const [threads, seeds] of [
  [1, [1]],
  [2, [1, 2, 3]],
  [3, [1]],
] as const) {
  const create = async () => {
    const executor = await executorOf(threads);
    return { executor, loseWorker: (index: number) => executor.loseThread(index) };
  };
  describeExecutor(`a thread executor of ${threads}`, create, seeds);
  describeTensorExecutor(`a thread executor of ${threads}`, create, seeds);
}

describe('a thread executor', () => {
  it('gives up a task that four threads were lost in, and goes on with others', async () => {
    const images = 200_000; // These take seconds on any machine.
    const executor = await executorOfMany(1, images);
    executor.write(INITIAL);
    let rejected = false;
    const working = executor.predict(MODEL, 'unlabelled', [[0, images]]).finally(() => {
      rejected = true;
    });
    const losses = (async () => {
      // The pause is long enough for a new thread to be at work again. A thread that is not yet at work is replaced
      // without being counted.
      for (let pause = 300; !rejected; pause += 50) {
        await sleep(pause);
        await executor.loseThread(0);
      }
    })();
    await expect(working).rejects.toMatchObject({ code: 'E_WORKER_LOST' });
    await losses;
    expect(executor.health().lostWorkers).toBe(4);
    expect((await executor.gradients(shardSteps(1, FRESH))).results).toHaveLength(4);
    await executor.close();
  });

  it('replaces threads that are lost while they start', async () => {
    const executor = await executorOf(2);
    executor.write(INITIAL);
    const working = executor.predict(MODEL, 'unlabelled', RANGES);
    for (let loss = 0; loss < 10; loss++) {
      await Promise.all([executor.loseThread(0), executor.loseThread(1)]);
      await sleep(10);
    }
    expect((await working).flatMap(({ classes }) => [...classes])).toEqual([
      ...(await executor.read(LENGTH)).pseudoLabels,
    ]);
    await executor.close();
  });

  it('takes no notice of an answer that comes when its thread is already lost', async () => {
    const executor = await executorOf(1);
    // This takes microseconds. piscina then finds no task for the answer, and says so by this event.
    const { threads } = (executor as unknown as { pool: { threads: EventEmitter } }).pool;
    expect(() => threads.emit('error', new Error('Unexpected message from Worker'))).not.toThrow();
    await executor.close();
  });

  it('brings the code and the fix of an error out of its thread', async () => {
    const folder = folderOfTest('without-products');
    cpSync(fileURLToPath(built('.')), join(folder, 'dist'), {
      recursive: true,
      filter: (path) => !path.endsWith('.node'),
    });
    cpSync(fileURLToPath(new URL('../../package.json', import.meta.url)), join(folder, 'package.json'));
    symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
    const url = pathToFileURL(join(folder, 'dist/worker/thread-executor.js')).href;
    const elsewhere = (await import(/* @vite-ignore */ url)) as { createThreadExecutor: typeof createThreadExecutor };
    const starting = elsewhere.createThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 2 } });
    await expect(starting).rejects.toMatchObject({
      name: 'PseudolabelError',
      code: 'E_NATIVE',
      fix: expect.stringContaining('pseudolabel setup'),
    });
  });
});
