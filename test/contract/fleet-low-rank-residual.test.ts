// What low-rank factors leave of a gradient: nothing of it is lost in the end, and it is forgotten where it has to be, and only there.
import { describe, expect, it } from 'vitest';
import type { Fleet } from '../../coordinator/fleet/fleet.js';
import { floats } from '../../src/engine/arena.js';
import type { ToNode } from '../../src/protocol/messages.js';
import type { LocalNode } from '../../worker/node.js';
import { until } from './faults.js';
import { descend, FACTORED, LOW_RANK, lengthOf } from './low-rank-fleet.js';
import { CONTENT } from './node.contract.js';
import { FRESH, INITIAL, LENGTH, MODEL, SHARDS, shardSteps } from './node-work.js';
import { testFleet } from './test-fleet.js';
import { PATIENT } from './victim.js';

type Told = Extract<ToNode, { kind: 'factor' | 'update' }>;

describe('what low rank has left', () => {
  it('is forgotten at a beginning, by a node that is new, and where an update has not been told, and only then', async () => {
    const { fleet, join } = await testFleet(FACTORED, { local: 1, remotes: [], ...LOW_RANK });
    try {
      const { link } = await join(1);
      const told: boolean[] = [];
      link.toNode = (parcel) => {
        if ('message' in parcel && parcel.message.kind === 'factor') told.push(parcel.message.goesOn);
        return [parcel];
      };
      fleet.write(INITIAL);
      await descend(fleet, 3);
      expect(told).toEqual([false, false, true, true, true, true]);
      fleet.write(INITIAL);
      await descend(fleet, 2);
      expect(told.slice(6)).toEqual([false, false, true, true]);
    } finally {
      await fleet.close();
    }
  });

  it('stays at a node that was only late, and its work of the step is done by others', async () => {
    const bounds = { ...PATIENT };
    const { fleet, join } = await testFleet(FACTORED, { local: 1, remotes: [], ...LOW_RANK, bounds });
    try {
      const { link } = await join(1);
      fleet.write(INITIAL);
      await descend(fleet, 4);
      const told: Told[] = [];
      link.toNode = (parcel) => {
        if ('message' in parcel && parcel.message.kind === 'factor') Object.assign(bounds, { least: 300, most: 300 });
        return [parcel];
      };
      link.toCoordinator = (parcel) => {
        if ('message' in parcel && parcel.message.kind === 'factored') link.hold();
        return [parcel];
      };
      await descend(fleet, 1);
      expect(fleet.status().nodes[0]!.state).toBe('behind');
      Object.assign(bounds, PATIENT);
      link.toCoordinator = (parcel) => [parcel];
      link.release();
      await until(() => fleet.status().nodes[0]!.state === 'working');
      link.toNode = (parcel) => {
        if ('message' in parcel && (parcel.message.kind === 'factor' || parcel.message.kind === 'update'))
          told.push(parcel.message);
        return [parcel];
      };
      await descend(fleet, 2);
      const step = [{ goesOn: true }, { goesOn: true }, { counted: true }];
      expect(told).toMatchObject([...step, ...step]);
    } finally {
      await fleet.close();
    }
  });

  it('applies in the end what exact sums would, but for what is left at its members', async () => {
    const { fleet, local, nodes } = await testFleet(FACTORED, { local: 1, remotes: [1, 1], ...LOW_RANK });
    try {
      const whole = await sumOfTotals(fleet, local);
      await fleet.settled();
      const left = new Float64Array(LENGTH);
      for (const node of [local, ...(await Promise.all(nodes.map((each) => each.node)))]) {
        // Four steps, so the two vectors have changed places four times.
        for (const [i, value] of floats(node.arena, 'residual', LENGTH).entries()) left[i]! += value;
      }
      const oracle = await exactSums();
      const missing = oracle.map((value, i) => value - whole[i]! - left[i]!);
      expect(lengthOf(missing)).toBeLessThan(1e-5 * lengthOf(oracle));
      expect(lengthOf(left)).toBeGreaterThan(0.1 * lengthOf(oracle));
    } finally {
      await fleet.close();
    }
  });
});

/** Of four steps at the initial parameters, which stay. */
async function sumOfTotals(fleet: Fleet, local: LocalNode): Promise<Float64Array> {
  fleet.write(INITIAL);
  const sum = new Float64Array(LENGTH);
  for (let t = 1; t <= 4; t++) {
    await fleet.gradients(shardSteps(t, FRESH));
    await fleet.update(MODEL, SHARDS, { kind: 'momentum', a: 0, b: 1, c: 0 });
    for (const [i, value] of floats(local.arena, 'total', LENGTH).entries()) sum[i]! += value;
  }
  return sum;
}

async function exactSums(): Promise<Float64Array> {
  const { fleet, local } = await testFleet(CONTENT, { local: 1, remotes: [] });
  try {
    return await sumOfTotals(fleet, local);
  } finally {
    await fleet.close();
  }
}
