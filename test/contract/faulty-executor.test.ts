// Tests that faults on purpose happen on a machine of any speed. Otherwise the tests that use them would test nothing.
import { expect, it } from 'vitest';
import { FaultyExecutor } from '../../coordinator/executors/faulty-executor.js';
import { createThreadExecutor, type ThreadExecutor } from '../../worker/thread-executor.js';
import { CONTENT } from './executor.contract.js';
import { ADAM, FRESH, INITIAL, SHAPE, shardSteps } from './executor-work.js';

const STEPS = 12;

async function nodeOf(threads: number): Promise<ThreadExecutor> {
  const node = await createThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: threads } });
  node.write(INITIAL);
  return node;
}

async function trainOn(node: FaultyExecutor): Promise<void> {
  for (let step = 0; step < STEPS; step++) {
    const { update } = await node.gradients(shardSteps(step, FRESH).slice(0, 1));
    await update(ADAM(step + 1));
  }
}

it('a thread is lost with a task in each of the steps, or for it in a later one', async () => {
  const node = await nodeOf(1);
  const faulty = new FaultyExecutor(node, new Set([0, 1, 2, 5]));
  try {
    await trainOn(faulty);
    expect(node.health().lostWorkers).toBe(4);
  } finally {
    await node.close();
  }
});

it('a step that stalls begins when the process is told to go on', async () => {
  const node = await nodeOf(1);
  const faulty = new FaultyExecutor(node, new Set(), new Set([1]));
  const listening = () => process.listenerCount('SIGCONT');
  try {
    const before = listening();
    let isDone = false;
    const training = trainOn(faulty).then(() => {
      isDone = true;
    });
    await expect.poll(listening).toBe(before + 1);
    expect(isDone).toBe(false);
    process.emit('SIGCONT', 'SIGCONT');
    await training;
  } finally {
    await node.close();
  }
});
