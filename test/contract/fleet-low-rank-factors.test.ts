// Low-rank factors that are not what they should be: the error that says so, or the end of the connection that they came by.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BULK_KINDS } from '../../src/protocol/messages.js';
import { sameBits } from '../bits.js';
import { type AnyParcel, at } from './faults.js';
import { DESCENT, descend, FACTORED, LOW_RANK } from './low-rank-fleet.js';
import { FRESH, INITIAL, LENGTH, MODEL, SHARDS, shardSteps } from './node-work.js';
import { type TestFleet, testFleet } from './test-fleet.js';
import { withVictim } from './victim.js';

type Bulk = Extract<AnyParcel, { tag: unknown }>;

let shared: TestFleet;
beforeAll(async () => {
  shared = await testFleet(FACTORED, { local: 1, remotes: [], ...LOW_RANK });
});
afterAll(() => shared.fleet.close());

describe('factors that are not what they should be', () => {
  it.each([
    ['left', 1],
    ['right', 1],
    ['right', 3],
  ] as const)(
    'end in E_NOT_FINITE with the parameters as they were, where %s ones hold NaN (%i)',
    async (kind, nth) => {
      await withVictim(shared, async ({ link }) => {
        const { fleet } = shared;
        const happened = at(link, { name: '', to: 'coordinator', kind, nth }, ({ tag, payload }: Bulk) => {
          const changed = new Float32Array(payload.slice().buffer);
          changed[7] = Number.NaN;
          return [{ tag, payload: new Uint8Array(changed.buffer) }];
        });
        fleet.write(INITIAL);
        const before = await descend(fleet, nth - 1);
        await fleet.gradients(shardSteps(nth, FRESH));
        await expect(fleet.update(MODEL, SHARDS, DESCENT)).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
        await happened;
        expect(sameBits((await fleet.read(LENGTH)).parameters, before)).toBe(true);
      });
    },
  );

  it('end in E_DRIFT where a node has others of the total', async () => {
    await withVictim(shared, async ({ link }) => {
      const happened = at(link, { name: '', to: 'node', kind: 'right', nth: 2 }, ({ tag, payload }: Bulk) => {
        const changed = payload.slice();
        changed[3]! ^= 1;
        return [{ tag, payload: changed }];
      });
      shared.fleet.write(INITIAL);
      await expect(descend(shared.fleet)).rejects.toMatchObject({ code: 'E_DRIFT' });
      await happened;
    });
  });

  type Change = (parcel: Bulk) => AnyParcel[];
  const changes: readonly [name: string, change: Change][] = [
    ['are too few', ({ tag, payload }) => [{ tag, payload: payload.slice(4) }]],
    ['are too many', ({ tag, payload }) => [{ tag, payload: Uint8Array.from([...payload, 0, 0, 0, 0]) }]],
    ['begin in the middle', ({ tag, payload }) => [{ tag: { ...tag, offset: 64 }, payload }]],
    ['are of the other side', ({ tag, payload }) => [{ tag: { ...tag, kind: BULK_KINDS.indexOf('right') }, payload }]],
    [
      'are of a request that was not made',
      ({ tag, payload }) => [{ tag: { ...tag, attempt: tag.attempt + 9 }, payload }],
    ],
    ['do not come at all', () => []],
  ];
  it.each(changes)('end the connection where they %s', async (_, change) => {
    const log = await withVictim(shared, async ({ link, ended }) => {
      const happened = at(link, { name: '', to: 'coordinator', kind: 'left', nth: 2 }, change);
      shared.fleet.write(INITIAL);
      await descend(shared.fleet);
      await happened;
      expect(await ended).toMatchObject({ kind: 'lost' });
    });
    expect(log).toEqual(['+node', '-node E_PROTOCOL']);
  });

  it('are dropped where they come twice', async () => {
    await withVictim(shared, async ({ link }) => {
      const happened = at(link, { name: '', to: 'coordinator', kind: 'left', nth: 2 }, (parcel: Bulk) => [
        parcel,
        parcel,
      ]);
      shared.fleet.write(INITIAL);
      await descend(shared.fleet);
      await happened;
      expect(shared.fleet.status().nodes).toHaveLength(1);
    });
  });
});
