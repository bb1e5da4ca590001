// Tests that a thread that is being ended gives no answer. The native library may break the results of its last task.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { createArena } from '../../src/engine/arena.js';
import { built } from '../../src/files/read.js';
import { SHAPE } from '../contract/executor-work.js';
import { NO_IMAGES } from '../images.js';

/** Does a task that throws what is no error of ours, as one does that gets no results any more. */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.script).then(async ({ run }) => {
    await run({ kind: 'start' });
    parentPort.postMessage('ready');
    try {
      await run({ kind: 'tensor-step' });
    } catch {
      parentPort.postMessage('threw');
    }
  });`;

it('what a thread throws while it is being ended is heard by nobody, and otherwise by all', async () => {
  const shape = { ...SHAPE, workspaces: 1 };
  const { memory } = createArena(shape);
  for (const isEnded of [true, false]) {
    const images = { unlabelled: NO_IMAGES, evaluation: NO_IMAGES };
    const workerData = { memory, shape, images, script: built('worker/thread-entry.js').href };
    const worker = new Worker(THREAD, { eval: true, workerData });
    const said: unknown[] = [];
    worker.on('message', (message) => said.push(message));
    await once(worker, 'message');
    if (isEnded) await worker.terminate();
    else await once(worker, 'exit');
    expect(said).toEqual(isEnded ? ['ready'] : ['ready', 'threw']);
  }
});
