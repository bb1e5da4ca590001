// Tests what can happen to a node, in each phase of a run, with processes and sockets. The run has the bits of an
// undisturbed one.
import { beforeAll, describe, expect, it } from 'vitest';
import { type Coordinator, operatorOfFile, SMALL, signalling } from './cluster.js';
import type { Running } from './command.js';
import { type Change, type Place, unchanged, type Wire } from './wire.js';

/**
 * The phases of a run, by the messages between a node and its coordinator. The deadline of a kind of message is known
 * after four of them.
 */
const PHASES: readonly (Place & { readonly phase: string })[] = [
  { phase: 'it labels', to: 'worker', kind: 'predict', nth: 6 },
  { phase: 'it computes gradients', to: 'worker', kind: 'gradients', nth: 7 },
  { phase: 'it sends its sums', to: 'coordinator', kind: 'sum', nth: 25 },
  { phase: 'it updates', to: 'worker', kind: 'update', nth: 6 },
  // A checkpoint follows every eighth step, as soon as the coordinator itself has updated.
  { phase: 'a checkpoint is saved', to: 'coordinator', kind: 'updated', nth: 24 },
];

/**
 * The coordinator goes on in the same way if a node is gone or late. test/contract/cluster-faults.test.ts tests both at
 * every place.
 */
const STALLS = PHASES.filter(({ kind }) => ['predict', 'sum', 'updated'].includes(kind));

/**
 * The latency of the other node. Shards are shared by speed, so the node that something happens to has some at every
 * step.
 */
const LATENCY_MS = 20;

const operator = operatorOfFile();
let expected: string;
beforeAll(async () => {
  expected = await operator.alone('alone');
});

/** Starts a run on two nodes, the first of which is behind a wire that can be watched. */
async function runOfTwo(name: string) {
  const coordinator = await operator.coordinator(name, [...SMALL, '--nodes', '2', '--no-local']);
  const wire = await operator.wireTo(coordinator);
  const victim = operator.worker(wire, 'victim');
  const other = operator.worker(await operator.wireTo(coordinator, LATENCY_MS), 'other');
  return { coordinator, wire, victim, other };
}

/** Resolves when the run has come to that place. Rejects if the run was over before. */
function reached(coordinator: Running, wire: Wire, place: Place, change: Change): Promise<void> {
  const over = coordinator.ended.then(() =>
    Promise.reject(new Error(`the run ended before ${place.kind} ${place.nth}`)),
  );
  return Promise.race([wire.at(place, change), over]);
}

async function expectBits(name: string, coordinator: Coordinator): Promise<void> {
  expect((await coordinator.ended).exit).toBe(0);
  expect(await operator.sha(name)).toBe(expected);
}

describe('a node', () => {
  it.each(PHASES)('that is killed while $phase costs no bit', async ({ phase, ...place }) => {
    const name = `killed while ${phase}`;
    const { coordinator, wire, victim, other } = await runOfTwo(name);
    await reached(coordinator, wire, place, signalling(victim, 'SIGKILL'));
    await coordinator.says('victim is gone (E_CONNECTION_LOST');
    await expectBits(name, coordinator);
    expect((await other.ended).exit).toBe(0);
  });

  it.each(STALLS)('that stands still beyond its deadline while $phase costs no bit', async ({ phase, ...place }) => {
    const name = `stopped while ${phase}`;
    const { coordinator, wire, victim, other } = await runOfTwo(name);
    await reached(coordinator, wire, place, signalling(victim, 'SIGSTOP'));
    // The node is set aside, or gone on a machine so busy that deadlines are longer than two heartbeats.
    await coordinator.says('its work is done by others');
    victim.child.kill('SIGCONT');
    await expectBits(name, coordinator);
    expect((await other.ended).exit).toBe(0);
  });
});

const half: Change = (passing) => unchanged(passing).subarray(0, passing.head.length + passing.body.length / 2);

const altered: Change = (passing) => {
  const bytes = unchanged(passing);
  bytes[passing.head.length - 1]! ^= 0x10;
  return bytes;
};

/** Two breaks of each kind, because a node whose connections are short waits twice as long each time. */
const BREAKS = [
  { how: 'is cut', places: ['predict', 'sum'], change: unchanged, cuts: true, code: 'E_CONNECTION_LOST' },
  { how: 'ends within a frame', places: ['gradients', 'total'], change: half, cuts: true, code: 'E_CONNECTION_LOST' },
  { how: 'alters a bit', places: ['sum', 'update'], change: altered, cuts: false, code: 'E_PROTOCOL' },
];

describe('a wire', () => {
  // The run has no other node. It goes on when this one has joined again.
  it.each(BREAKS)('that $how by $places costs no bit', async ({ how, places, change, cuts, code }) => {
    const name = `a wire that ${how}`;
    const coordinator = await operator.coordinator(name, [...SMALL, '--nodes', '1', '--no-local']);
    const wire = await operator.wireTo(coordinator);
    const node = operator.worker(wire, 'node');
    for (const [i, kind] of places.entries()) {
      await reached(coordinator, wire, { kind, to: kind === 'sum' ? 'coordinator' : 'worker', nth: 3 }, change);
      if (cuts) wire.cut();
      await coordinator.says(`node is gone (${code}`, i + 1);
    }
    await expectBits(name, coordinator);
    expect(await node.ended).toMatchObject({ exit: 0, stderr: expect.stringContaining('joining again') });
  });
});
