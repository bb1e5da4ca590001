// Owns the node of a cluster that something happens to: how it joins, how often one trains for it, and that it is gone afterwards.
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, vi } from 'vitest';
import { BOUNDS } from '../../coordinator/executors/cluster/deadlines.js';
import { Speed } from '../../coordinator/executors/cluster/member.js';
import { until } from './faults.js';
import type { TestCluster, TestNode } from './test-cluster.js';

/**
 * From here on, shards go to members in proportion to their workers, also before the tests of a file begin: what was said in a run may be their
 * cases. By measured speeds, a member that a busy machine has slowed down once is given none, or others, for hundreds of steps.
 */
export function shareByWorkers(): void {
  vi.spyOn(Speed.prototype, 'rowsPerMillisecond', 'get').mockReturnValue(undefined);
  afterAll(() => {
    vi.restoreAllMocks();
  });
}

/** Runs with one node besides the coordinator, to which something happens. Returns who came, went and was refused. */
export async function withVictim(on: TestCluster, test: (victim: TestNode) => Promise<void>): Promise<string[]> {
  const before = on.log.length;
  const victim = await on.join(1);
  try {
    await test(victim);
    // That nodes make a run slower depends on the machine; who came and went does not.
    return on.log.slice(before).filter((line) => /^[+!-]/.test(line));
  } finally {
    victim.link.release();
    victim.link.cut();
    await victim.ended;
    await until(() => on.cluster.status().nodes.length === 0);
  }
}

/** Trains, again and again until something has happened. */
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

/** Nothing comes through until the victim, the only node, has missed its deadline; then all of it. Something has been asked of it, or will be. */
export async function stall({ cluster, clock }: TestCluster, { link }: TestNode): Promise<void> {
  link.hold();
  do {
    await turn();
    clock.advance(BOUNDS.most);
  } while (cluster.status().nodes[0]?.state !== 'behind');
  link.release();
}
