// Makes something happen to a node of a cluster: the node joins, the cluster trains for a while, and the node is gone
// afterwards.
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, vi } from 'vitest';
import { BOUNDS } from '../../coordinator/executors/cluster/deadlines.js';
import { Speed } from '../../coordinator/executors/cluster/machine.js';
import { until } from './faults.js';
import type { TestCluster, TestNode } from './test-cluster.js';

/**
 * Shares shards among members in proportion to their workers from now on. It also works before the tests of a file
 * begin, because the names of cases may come from a run. With measured speeds, a member that a busy machine has slowed
 * down once gets no shards, or other ones, for hundreds of steps.
 */
export function shareByWorkers(): void {
  vi.spyOn(Speed.prototype, 'rowsPerMillisecond', 'get').mockReturnValue(undefined);
  afterAll(() => {
    vi.restoreAllMocks();
  });
}

/**
 * Runs a test with one node besides the coordinator, to which something happens. Returns which nodes came, left and
 * were refused.
 */
export async function withVictim(on: TestCluster, test: (victim: TestNode) => Promise<void>): Promise<string[]> {
  const before = on.log.length;
  const victim = await on.join(1);
  try {
    await test(victim);
    // Whether nodes make a run slower depends on the machine, so those lines are left out.
    return on.log.slice(before).filter((line) => /^[+!-]/.test(line));
  } finally {
    victim.link.release();
    victim.link.cut();
    await victim.ended;
    await until(() => on.cluster.status().nodes.length === 0);
  }
}

/** Trains repeatedly until something has happened. */
export async function trainUntil(
  on: TestCluster,
  happened: Promise<void>,
  train: (on: TestCluster) => Promise<void>,
): Promise<void> {
  let isDone = false;
  void happened.then(() => {
    isDone = true;
  });
  while (!isDone) {
    await train(on);
    await until(() => on.cluster.status().nodes.every(({ state }) => state !== 'behind'));
  }
}

/**
 * Stops all traffic until the victim, the only node, has missed its deadline, and then lets it through. The victim has
 * been asked for something, or will be.
 */
export async function stall({ cluster, clock }: TestCluster, { link }: TestNode): Promise<void> {
  link.hold();
  do {
    await turn();
    clock.advance(BOUNDS.most);
  } while (cluster.status().nodes[0]?.state !== 'behind');
  link.release();
}
