// Owns the node of a fleet that something happens to: how it joins, how long one trains for it, and that it is gone afterwards.
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './faults.js';
import { CONTENT } from './node.contract.js';
import { type TestFleet, type TestFleetOptions, type TestNode, testFleet } from './test-fleet.js';

/** Nobody misses such deadlines. */
export const PATIENT = { least: 60_000, most: 60_000 };

/** A fleet of the local node alone, for nodes that stall. */
export interface Hasty extends TestFleet {
  /** Milliseconds in which a node that is joined to it misses its deadline. */
  readonly least: number;
}

/** Deadlines as short as they can be on this machine, as busy as it is: a whole training has time enough for one. */
export async function hastyFleet(
  options: Partial<TestFleetOptions>,
  train: (on: TestFleet) => Promise<void>,
): Promise<Hasty> {
  const bounds = { least: 300, most: 3_000 };
  const made = await testFleet(CONTENT, { local: 1, remotes: [], ...options, bounds });
  await train(made);
  const began = performance.now();
  await train(made);
  bounds.least = Math.max(bounds.least, performance.now() - began);
  bounds.most = Math.max(bounds.most, bounds.least);
  return { ...made, least: bounds.least };
}

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

/** Trains, again and again until something has happened: on a busy machine a node may miss its deadline, and be left out for steps. */
export async function trainUntil(
  on: TestFleet,
  happened: Promise<void>,
  train: (on: TestFleet) => Promise<void>,
): Promise<void> {
  let isDone = false;
  void happened.then(() => {
    isDone = true;
  });
  const deadline = performance.now() + 120_000;
  while (performance.now() < deadline) {
    await train(on);
    if (isDone) return;
    await until(() => on.fleet.status().nodes.every(({ state }) => state !== 'behind'));
  }
  throw new Error('it did not happen');
}

/** Nothing comes through until the victim, the only node, has missed its deadline, if anything is asked of it; then all of it. */
export async function stall({ fleet, least }: Hasty, { link }: TestNode): Promise<void> {
  link.hold();
  const end = performance.now() + least + 500;
  while (performance.now() < end && fleet.status().nodes[0]?.state !== 'behind') await sleep(10);
  link.release();
}
