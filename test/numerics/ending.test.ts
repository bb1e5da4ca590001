// Tests that an error of a thread that is being ended does not count as an answer to its last task. The native library
// returns no results at that time.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { createArena } from '../../src/engine/arena.js';
import { built } from '../../src/files/read.js';
import { SHAPE } from '../contract/executor-work.js';
import { NO_IMAGES } from '../images.js';

/** Does a task that throws an error of another kind, like a task that gets no results any more. */
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
