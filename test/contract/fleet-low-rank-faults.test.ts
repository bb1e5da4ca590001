// Nodes that are lost or join at each place of both rounds of a step by low-rank factors: the others stay alike, and no gradient is lost.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import { sameBits } from '../bits.js';
import { at, type Place, until } from './faults.js';
import { DESCENT, descend, FACTORED, LOW_RANK, lengthOf } from './low-rank-fleet.js';
import { CONTENT } from './node.contract.js';
import { FRESH, INITIAL, LENGTH, MODEL, SHARDS, shardSteps } from './node-work.js';
import { type TestFleet, type TestNode, testFleet } from './test-fleet.js';
import { withVictim } from './victim.js';

let shared: TestFleet;
beforeAll(async () => {
  shared = await testFleet(FACTORED, { local: 1, remotes: [], ...LOW_RANK });
});
afterAll(() => shared.fleet.close());

/** In the order of a step. `factor` and `factored` are in turn of the left and of the right factors. */
const PLACES: readonly Place[] = [
  { name: 'before its first gradients', to: 'node', kind: 'gradients', nth: 1 },
  { name: 'when it has computed gradients', to: 'coordinator', kind: 'computed', nth: 3 },
  { name: 'before the right factors of the last total', to: 'node', kind: 'right', nth: 1 },
  { name: 'before it is asked for left factors', to: 'node', kind: 'factor', nth: 3 },
  { name: 'before its left factors', to: 'coordinator', kind: 'left', nth: 2 },
  { name: 'when it has sent its left factors', to: 'coordinator', kind: 'factored', nth: 3 },
  { name: "before the total's left factors", to: 'node', kind: 'left', nth: 2 },
  { name: 'before it is asked for right factors', to: 'node', kind: 'factor', nth: 4 },
  { name: 'before its right factors', to: 'coordinator', kind: 'right', nth: 2 },
  { name: 'when it has sent its right factors', to: 'coordinator', kind: 'factored', nth: 4 },
  { name: "before the total's right factors", to: 'node', kind: 'right', nth: 3 },
  { name: 'before it updates', to: 'node', kind: 'update', nth: 2 },
  { name: 'when it has updated', to: 'coordinator', kind: 'updated', nth: 1 },
];

describe('a node that is lost', () => {
  it.each(PLACES)('$name takes no gradient with it, and the others stay alike', async (where) => {
    const log = await withVictim(shared, async ({ link, ended }) => {
      const second = await shared.join(1, { name: 'second' });
      try {
        const happened = at(link, where, () => {
          link.cut();
          return [];
        });
        shared.fleet.write(INITIAL);
        const parameters = await descend(shared.fleet);
        await happened;
        expect(await ended).toMatchObject({ kind: 'lost' });
        await shared.fleet.settled();
        expect(sameBits(floats((await second.node).arena, 'parameters', LENGTH), parameters)).toBe(true);
      } finally {
        second.link.cut();
        await second.ended;
      }
    });
    expect(log).toEqual(['+node', '+second', '-node E_CLOSED', '-second E_CLOSED']);
  });

  it.each(PLACES)('may be joined by another $name', async (where) => {
    const joined: Promise<TestNode>[] = [];
    await withVictim(shared, async ({ link }) => {
      const happened = at(link, where, (parcel) => {
        joined.push(shared.join(1, { name: 'second' }));
        return [parcel];
      });
      shared.fleet.write(INITIAL);
      await descend(shared.fleet);
      await happened;
      const second = await joined[0]!;
      const parameters = await descend(shared.fleet, 3);
      await shared.fleet.settled();
      expect(sameBits(floats((await second.node).arena, 'parameters', LENGTH), parameters)).toBe(true);
      second.link.cut();
      await second.ended;
      await until(() => shared.fleet.status().nodes.length === 1);
    });
  });

  it('has its shards in the same total, whichever round it is lost in', async () => {
    const oracle = await (async () => {
      const { fleet, local } = await testFleet(CONTENT, { local: 1, remotes: [] });
      fleet.write(INITIAL);
      await fleet.gradients(shardSteps(1, FRESH));
      await fleet.update(MODEL, SHARDS, DESCENT);
      const total = floats(local.arena, 'total', LENGTH).slice();
      await fleet.close();
      return total;
    })();
    for (const nth of [1, 2]) {
      await withVictim(shared, async ({ link }) => {
        const happened = at(link, { name: '', to: 'coordinator', kind: 'factored', nth }, () => {
          link.cut();
          return [];
        });
        shared.fleet.write(INITIAL);
        await shared.fleet.gradients(shardSteps(1, FRESH));
        await shared.fleet.update(MODEL, SHARDS, DESCENT);
        await happened;
        // The only one left is the coordinator, whose residual is the first it has: with its total it is the whole gradient.
        const { local } = shared;
        const [total, spare, residual] = (['total', 'spare', 'residual'] as const).map((region) =>
          floats(local.arena, region, LENGTH),
        ) as [Float32Array, Float32Array, Float32Array];
        const misses = [spare, residual].map((left) => lengthOf(oracle, (i) => oracle[i]! - total[i]! - left[i]!));
        expect(Math.min(...misses)).toBeLessThan(1e-5 * lengthOf(oracle));
      });
    }
  });
});
