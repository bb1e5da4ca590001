// A fleet whose sums are rounded on their way: all members still have the same parameters after each update, whatever goes wrong, and they
// are close to those of exact sums.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import { floats } from '../../src/engine/arena.js';
import { BULK_KINDS } from '../../src/protocol/messages.js';
import { sameBits } from '../bits.js';
import { type AnyParcel, at, PLACES, place, until } from './faults.js';
import { CONTENT } from './node.contract.js';
import { ADAM, FRESH, INITIAL, LENGTH, MODEL, SHAPE, SHARDS, shardSteps, trainMixed } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { type TestFleet, testFleet } from './test-fleet.js';
import { stall, withVictim } from './victim.js';

type Bulk = Extract<AnyParcel, { tag: unknown }>;
type Gradients = { message: { kind: 'gradients'; goesOn: boolean } };

/** Parameters are compared after every update: members that differ end the run with E_DRIFT. */
const OPTIONS = { wire: 'bf16', checksumEvery: 1 } as const;

let exact: Float32Array;
let rounded: TestFleet;
beforeAll(async () => {
  exact = (await trainMixed(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }))).parameters;
  rounded = await testFleet(CONTENT, { local: 1, remotes: [], ...OPTIONS });
});
afterAll(() => rounded.fleet.close());

/** By how much of the way that training went the parameters are elsewhere. */
function distance(found: Float32Array): number {
  const start = INITIAL.parameters!;
  const length = (of: (i: number) => number) => Math.hypot(...Array.from(found.subarray(0, 100_000), (_, i) => of(i)));
  return length((i) => found[i]! - exact[i]!) / length((i) => exact[i]! - start[i]!);
}

function train({ fleet }: TestFleet): Promise<TrainingState> {
  fleet.write({ pseudoLabels: new Uint8Array(SHAPE.unlabelled), confidences: new Float32Array(SHAPE.unlabelled) });
  return trainMixed(fleet);
}

describe('a fleet on a wire of bf16', () => {
  it('has the same parameters everywhere, close to those of exact sums, for half the bytes', async () => {
    const made = await testFleet(CONTENT, { local: 1, remotes: [1, 2], ...OPTIONS });
    const { fleet, nodes } = made;
    try {
      let bytes = 0;
      for (const { link } of nodes) {
        link.toNode = (parcel) => {
          if ('tag' in parcel && BULK_KINDS[parcel.tag.kind] === 'total') bytes += parcel.payload.length;
          return [parcel];
        };
      }
      const { parameters } = await train(made);
      for (const node of nodes) {
        const theirs = floats((await node.node).arena, 'parameters', LENGTH);
        expect(sameBits(theirs, parameters)).toBe(true);
      }
      expect(sameBits(parameters, exact)).toBe(false);
      expect(distance(parameters)).toBeLessThan(0.03);
      // To two nodes, in six steps.
      expect(bytes).toBe(2 * 6 * LENGTH * 2);
    } finally {
      await fleet.close();
    }
  });

  it.each(PLACES)('goes on with the same parameters everywhere when a connection breaks $name', async (where) => {
    const log = await withVictim(rounded, async ({ link, ended }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      if (where.kind === 'evaluationImages')
        await rounded.fleet.predict(MODEL, 'evaluation', [
          [0, 50],
          [50, 100],
        ]);
      expect(distance((await train(rounded)).parameters)).toBeLessThan(0.03);
      await happened;
      expect(await ended).toMatchObject({ kind: 'lost' });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });

  it.each([1, 3])(
    'sends a node away whose sums hold NaN, and has its part computed again (case S3, chunk %i)',
    async (nth) => {
      await withVictim(rounded, async ({ link, ended }) => {
        const { fleet } = rounded;
        fleet.write(INITIAL);
        const happened = at(link, place('sum', nth), ({ tag, payload }: Bulk) => {
          const upper = new Uint16Array(payload.slice().buffer);
          upper[upper.length - 1] = 0x7fc0;
          return [{ tag, payload: new Uint8Array(upper.buffer) }];
        });
        await fleet.gradients(shardSteps(1, FRESH));
        await fleet.update(MODEL, SHARDS, ADAM(1));
        await happened;
        expect(await ended).toMatchObject({ kind: 'refused' });
        const { parameters } = await fleet.read(LENGTH);
        expect(parameters.every(Number.isFinite)).toBe(true);
        expect(sameBits(parameters, INITIAL.parameters!)).toBe(false);
        expect(distance((await train(rounded)).parameters)).toBeLessThan(0.03);
      });
    },
  );

  it('ends in E_DRIFT where a node has another total', async () => {
    await withVictim(rounded, async ({ link }) => {
      const happened = at(link, place('total', 2), ({ tag, payload }: Bulk) => {
        const changed = payload.slice();
        changed[1]! ^= 1;
        return [{ tag, payload: changed }];
      });
      await expect(train(rounded)).rejects.toMatchObject({ code: 'E_DRIFT' });
      await happened;
    });
  });

  it('lets a node forget its rounding at a beginning and when its sums did not count, and only then', async () => {
    const made = await testFleet(CONTENT, { local: 1, remotes: [], ...OPTIONS });
    const { fleet } = made;
    try {
      const victim = await made.join(1);
      const { link } = victim;
      const told: boolean[] = [];
      const listening = (parcel: AnyParcel) => {
        if ('message' in parcel && parcel.message.kind === 'gradients') told.push((parcel as Gradients).message.goesOn);
        return [parcel];
      };
      link.toNode = listening as typeof link.toNode;
      await train(made);
      expect(told).toEqual([false, true, true, true, true, true]);
      await fleet.gradients(shardSteps(7, FRESH).map((step) => ({ ...step, stage: 1 })));
      expect(told.pop()).toBe(false);
      await fleet.update(MODEL, SHARDS, ADAM(7));
      // Its next sums come too late.
      let stalled: Promise<void> | undefined;
      const late = at(link, place('sum', 1), (parcel) => {
        told.length = 0;
        stalled = stall(made, victim);
        return [parcel];
      });
      await fleet.gradients(shardSteps(8, FRESH));
      await fleet.update(MODEL, SHARDS, ADAM(8));
      await late;
      await stalled;
      await until(() => fleet.status().nodes[0]!.state === 'working');
      for (const t of [9, 10]) {
        await fleet.gradients(shardSteps(t, FRESH));
        await fleet.update(MODEL, SHARDS, ADAM(t));
      }
      // Where it is back in time, it is asked for its shards of step 8 again.
      expect([
        [false, true],
        [false, true, true],
      ]).toContainEqual(told);
    } finally {
      await fleet.close();
    }
  });
});
