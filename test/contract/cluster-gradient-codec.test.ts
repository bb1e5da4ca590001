// Tests a cluster whose sums are rounded when they are sent. All machines have the same parameters after each update,
// whatever goes wrong, and these are close to those of exact sums.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import { BULK_KINDS } from '../../src/protocol/cluster-messages.js';
import type { TrainingState } from '../../src/training/executor.js';
import { sameBits } from '../bits.js';
import { CONTENT } from './executor.contract.js';
import { ADAM, FRESH, INITIAL, LENGTH, MODEL, SHAPE, shardSteps, trainMixed } from './executor-work.js';
import { type AnyParcel, at, PLACES, place, until } from './faults.js';
import { oneThreadExecutor } from './one-thread-executor.js';
import { type TestCluster, testCluster } from './test-cluster.js';
import { shareByWorkers, stall, withVictim } from './victim.js';

shareByWorkers();

type Bulk = Extract<AnyParcel, { tag: unknown }>;
type Gradients = { message: { kind: 'gradients'; goesOn: boolean } };

/** Parameters are compared after every update: machines that differ end the run with E_DRIFT. */
const OPTIONS = { wire: 'bf16', checksumEvery: 1 } as const;

let exact: Float32Array;
let rounded: TestCluster;
beforeAll(async () => {
  exact = (await trainMixed(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }))).parameters;
  rounded = await testCluster(CONTENT, { local: 1, remotes: [], ...OPTIONS });
});
afterAll(() => rounded.cluster.close());

/** Returns how far the parameters are from the expected ones, as a share of the way that training went. */
function distance(found: Float32Array): number {
  const start = INITIAL.parameters!;
  const length = (of: (i: number) => number) => Math.hypot(...Array.from(found.subarray(0, 100_000), (_, i) => of(i)));
  return length((i) => found[i]! - exact[i]!) / length((i) => exact[i]! - start[i]!);
}

function train({ cluster }: TestCluster): Promise<TrainingState> {
  cluster.write({ pseudoLabels: new Uint16Array(SHAPE.unlabelled), confidences: new Float32Array(SHAPE.unlabelled) });
  return trainMixed(cluster);
}

describe('a cluster on a wire of bf16', () => {
  it('has the same parameters everywhere, close to those of exact sums, for half the bytes', async () => {
    const made = await testCluster(CONTENT, { local: 1, remotes: [1, 2], ...OPTIONS });
    const { cluster, nodes } = made;
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
      // Totals go to two nodes, in six steps.
      expect(bytes).toBe(2 * 6 * LENGTH * 2);
    } finally {
      await cluster.close();
    }
  });

  it.each(PLACES)('goes on with the same parameters everywhere when a connection breaks $name', async (where) => {
    const log = await withVictim(rounded, async ({ link, ended }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      if (where.kind === 'evaluation')
        await rounded.cluster.predict(MODEL, 'evaluation', [
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
        const { cluster } = rounded;
        cluster.write(INITIAL);
        const happened = at(link, place('sum', nth), ({ tag, payload }: Bulk) => {
          const upper = new Uint16Array(payload.slice().buffer);
          upper[upper.length - 1] = 0x7fc0;
          return [{ tag, payload: new Uint8Array(upper.buffer) }];
        });
        const { update } = await cluster.gradients(shardSteps(1, FRESH));
        await update(ADAM(1));
        await happened;
        expect(await ended).toMatchObject({ kind: 'refused' });
        const { parameters } = await cluster.read(LENGTH);
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
    const made = await testCluster(CONTENT, { local: 1, remotes: [], ...OPTIONS });
    const { cluster } = made;
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
      const seventh = await cluster.gradients(shardSteps(7, FRESH).map((step) => ({ ...step, stage: 1 })));
      expect(told.pop()).toBe(false);
      await seventh.update(ADAM(7));
      // The node's next sums come too late.
      let stalled: Promise<void> | undefined;
      const late = at(link, place('sum', 1), (parcel) => {
        told.length = 0;
        stalled = stall(made, victim);
        return [parcel];
      });
      const eighth = await cluster.gradients(shardSteps(8, FRESH));
      await eighth.update(ADAM(8));
      await late;
      await stalled;
      await until(() => cluster.status().nodes[0]!.state === 'working');
      for (const t of [9, 10]) {
        const { update } = await cluster.gradients(shardSteps(t, FRESH));
        await update(ADAM(t));
      }
      // If the node is back in time, it is asked for its shards of step 8 again.
      expect([
        [false, true],
        [false, true, true],
      ]).toContainEqual(told);
    } finally {
      await cluster.close();
    }
  });
});
