// Owns the node of a fleet that something happens to: how it joins, how often one trains for it, and that it is gone afterwards.
import { setImmediate as turn } from 'node:timers/promises';
import { BOUNDS } from '../../coordinator/fleet/deadlines.js';
import { until } from './faults.js';
import type { TestFleet, TestNode } from './test-fleet.js';

/** Runs with one node besides the coordinator, to which something happens. Returns who came, went and was refused. */
export async function withVictim(on: TestFleet, test: (victim: TestNode) => Promise<void>): Promise<string[]> {
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
    await until(() => on.fleet.status().nodes.length === 0);
  }
}

/** Trains, again and again until something has happened: shards move with the speeds that are measured, so a node may have none for steps. */
export async function trainUntil(
  on: TestFleet,
  happened: Promise<void>,
  train: (on: TestFleet) => Promise<void>,
): Promise<void> {
  let isDone = false;
  void happened.then(() => {
    isDone = true;
  });
  while (!isDone) {
    await train(on);
    await until(() => on.fleet.status().nodes.every(({ state }) => state !== 'behind'));
  }
}

/** Nothing comes through until the victim, the only node, has missed its deadline; then all of it. Something has been asked of it, or will be. */
export async function stall({ fleet, clock }: TestFleet, { link }: TestNode): Promise<void> {
  link.hold();
  do {
    await turn();
    clock.advance(BOUNDS.most);
  } while (fleet.status().nodes[0]?.state !== 'behind');
  link.release();
}
