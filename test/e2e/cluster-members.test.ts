// Tests nodes that join and leave during a run, as processes: what the run and `status` say about them, and that the
// bits stay the same.
import { beforeAll, describe, expect, it } from 'vitest';
import { statusFrom } from '../../coordinator/commands/status.js';
import { SERVER_TRANSPORT } from '../../coordinator/server/transport.js';
import type { ClusterStatus } from '../../src/protocol/status.js';
import { type Coordinator, operatorOfFile, SMALL, signalling } from './cluster.js';
import { unchanged } from './wire.js';

/** Without threads of the coordinator, a run stands still while no node computes. So there is time for anything. */
const NO_LOCAL = [...SMALL, '--no-local', '--nodes', '1'];
const WAITS = 'no node is there to compute: waiting for one to join';

const operator = operatorOfFile();
let expected: string;
beforeAll(async () => {
  expected = await operator.alone('alone');
});

async function expectBits(name: string, coordinator: Coordinator): Promise<void> {
  expect((await coordinator.ended).exit).toBe(0);
  expect(await operator.sha(name)).toBe(expected);
}

async function statusOf({ address }: Coordinator): Promise<ClusterStatus> {
  const { stdout } = await operator.start(['status', address, '--token-file', operator.tokenFile, '--json', '-']).ended;
  return JSON.parse(stdout) as ClusterStatus;
}

/**
 * Returns the status without a process, which would take seconds to begin on a busy machine. A suspended node is gone
 * after ten.
 */
async function statusAtOnce({ address }: Coordinator): Promise<ClusterStatus> {
  const { tokenFile } = operator;
  const { signal } = new AbortController();
  const how = { fingerprint: undefined, insecure: false, patience: 0, signal, onRetry: () => undefined };
  return statusFrom(await SERVER_TRANSPORT.connect({ address, tokenFile, ...how }));
}

describe('a run', () => {
  it('says who left and who joined, waits where nobody is there, and its status agrees', async () => {
    const coordinator = await operator.coordinator('changing', NO_LOCAL);
    const wire = await operator.wireTo(coordinator);
    const first = operator.worker(wire, 'first');
    await wire.at({ to: 'worker', kind: 'gradients', nth: 6 }, signalling(first, 'SIGINT'));
    expect(await first.ended).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('left the run, which goes on without this node'),
    });
    await coordinator.says('first has left');
    await coordinator.says(WAITS);
    const { steps, nodes, shards } = await statusOf(coordinator);
    expect({ nodes, shards }).toEqual({ nodes: [], shards: 8 });
    expect(steps).toBeGreaterThan(0);

    const second = operator.worker(wire, 'second');
    await wire.at({ to: 'worker', kind: 'gradients', nth: 6 }, signalling(second, 'SIGSTOP'));
    await coordinator.says('second joined with 1 worker');
    await coordinator.says(WAITS, 2);
    expect((await statusAtOnce(coordinator)).nodes).toMatchObject([{ name: 'second', state: 'behind', shards: 8 }]);
    const again = wire.at({ to: 'worker', kind: 'gradients', nth: 6 }, signalling(second, 'SIGSTOP'));
    second.child.kill('SIGCONT');
    await again;
    await coordinator.says('second answers again');
    await coordinator.says(WAITS, 3);
    const third = operator.worker(coordinator, 'third');
    await coordinator.says('third joined with 1 worker');
    second.child.kill('SIGCONT');
    await expectBits('changing', coordinator);
    for (const { ended } of [second, third]) expect((await ended).exit).toBe(0);
  });

  it('goes on alone where all nodes are gone', async () => {
    const coordinator = await operator.coordinator('alone again', [...SMALL, '--nodes', '2']);
    const wire = await operator.wireTo(coordinator);
    const nodes = ['one', 'two'].map((name) => operator.worker(wire, name));
    // Predictions are shared by images at first, before speeds are known, so both nodes have some.
    await wire.at({ to: 'coordinator', kind: 'predicted', nth: 4 }, (passing) => {
      for (const { child } of nodes) child.kill('SIGKILL');
      return unchanged(passing);
    });
    for (const name of ['one', 'two']) await coordinator.says(`${name} is gone (E_CONNECTION_LOST`);
    await expectBits('alone again', coordinator);
  });

  it('that stands still for want of nodes is stopped by Ctrl-C, and goes on with --resume', async () => {
    const coordinator = await operator.coordinator('stopped', NO_LOCAL);
    const wire = await operator.wireTo(coordinator);
    const only = operator.worker(wire, 'only');
    await wire.at({ to: 'worker', kind: 'gradients', nth: 12 }, signalling(only, 'SIGKILL'));
    await coordinator.says(WAITS);
    coordinator.child.kill('SIGINT');
    expect(await coordinator.ended).toMatchObject({
      exit: 130,
      stderr: expect.stringContaining('error E_INTERRUPTED'),
    });
    const resumed = await operator.start(['train', '--resume', operator.out('stopped')]).ended;
    expect(resumed).toMatchObject({ exit: 0, stderr: expect.stringContaining('goes on at step 8') });
    expect(await operator.sha('stopped')).toBe(expected);
  });
});
