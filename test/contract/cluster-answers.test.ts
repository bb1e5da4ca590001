// Tests nodes that give wrong answers. Either the node is sent away and its work is done again, or the run ends with an
// error that names the fault.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exactByRows } from './exact-runs.js';
import { CONTENT, expectState } from './executor.contract.js';
import { FRESH, INITIAL, LENGTH, shardSteps } from './executor-work.js';
import { type AnyParcel, at, type Place, place } from './faults.js';
import { type TestCluster, testCluster } from './test-cluster.js';
import { shareByWorkers, trainUntil, withVictim } from './victim.js';

shareByWorkers();

let made: TestCluster;
beforeAll(async () => {
  made = await testCluster(CONTENT, { local: 1, remotes: [] });
});
afterAll(() => made.cluster.close());

describe('a node', () => {
  it('may send everything twice', async () => {
    await withVictim(made, async ({ link }) => {
      link.toCoordinator = (parcel) =>
        'message' in parcel && parcel.message.kind === 'leaving' ? [parcel] : [parcel, parcel];
      await exactByRows(made);
      expect(made.cluster.status().nodes).toMatchObject([{ state: 'working' }]);
    });
  });

  type Computed = { message: { kind: 'computed'; request: number; results: unknown[] } };
  type Predicted = { message: { kind: 'predicted'; results: { classes: Uint8Array; confidences: Uint8Array }[] } };
  type Sum = Extract<AnyParcel, { tag: unknown }>;

  const wrong: [name: string, where: Place, change: (parcel: never) => AnyParcel][] = [
    [
      'results for fewer shards than it was given',
      place('computed', 2),
      ({ message }: Computed) => ({ message: { ...message, results: message.results.slice(1) } }),
    ],
    [
      'an answer to a request that was not made',
      place('computed', 2),
      ({ message }: Computed) => ({ message: { ...message, request: message.request + 1 } }),
    ],
    [
      'the answer to another kind of request',
      place('computed', 2),
      ({ message: { request } }: Computed) =>
        ({ message: { kind: 'updated', request, lostWorkers: 0, milliseconds: 1 } }) as AnyParcel,
    ],
    [
      'fewer classes than images',
      place('predicted', 1),
      ({ message }: Predicted) => {
        return {
          message: {
            ...message,
            results: message.results.map((each) => ({ ...each, classes: each.classes.slice(1) })),
          },
        };
      },
    ],
    [
      'labels for fewer ranges',
      place('predicted', 2),
      ({ message }: Predicted) => ({ message: { ...message, results: message.results.slice(1) } }),
    ],
    ['a sum of another subtree', place('sum', 3), ({ tag, payload }: Sum) => ({ tag: { ...tag, index: 1 }, payload })],
    ['a sum with a gap', place('sum', 1), ({ tag, payload }: Sum) => ({ tag: { ...tag, offset: 4096 }, payload })],
    [
      'a sum that is too long',
      place('sum', 3),
      ({ tag, payload }: Sum) => ({ tag, payload: new Uint8Array(payload.length + LENGTH * 4) }),
    ],
    ['half a number', place('sum', 2), ({ tag, payload }: Sum) => ({ tag, payload: payload.slice(0, 1001) })],
    ['another kind of array', place('sum', 2), ({ tag, payload }: Sum) => ({ tag: { ...tag, kind: 4 }, payload })],
  ];

  it.each(wrong)('that sends %s is sent away, and its work done again', async (_, where, change) => {
    const log = await withVictim(made, async ({ link }) => {
      const happened = at(link, where, (parcel) => [change(parcel as never)]);
      await trainUntil(made, happened, exactByRows);
    });
    expect(log).toEqual(['+node', '-node E_PROTOCOL']);
  });

  it.each([
    ['E_WORKER_LOST', '-node E_WORKER_LOST'],
    ['E_MEMORY', '-node E_MEMORY'],
    ['E_CONFIG', '-node E_CONFIG'],
    [null, '-node E_WORKER_LOST'],
  ] as const)('that fails with %s is sent away, and its work done again (case S3)', async (code, left) => {
    const log = await withVictim(made, async ({ link }) => {
      const failing = ({ message }: { message: { request: number } }): AnyParcel[] => {
        const { request } = message;
        return [
          { message: { kind: 'failed', request, code, message: 'it failed', fix: '', lostWorkers: 4 } } as AnyParcel,
        ];
      };
      const before = made.cluster.health().lostWorkers;
      const happened = at(link, place('computed', 2), failing as never);
      await trainUntil(made, happened, exactByRows);
      expect(made.cluster.health().lostWorkers).toBe(before + 4);
    });
    expect(log).toEqual(['+node', left]);
  });

  it.each([1, 2, 3])(
    'whose sums hold NaN is sent away, and its work done again: the run has not diverged (chunk %i, case S3)',
    async (nth) => {
      const log = await withVictim(made, async ({ link }) => {
        const happened = at(link, place('sum', nth), ({ tag, payload }: Sum) => {
          const floats = new Float32Array(payload.buffer.slice(0));
          floats[floats.length - 1] = Number.NaN;
          return [{ tag, payload: new Uint8Array(floats.buffer) }];
        });
        await trainUntil(made, happened, exactByRows);
      });
      expect(log).toEqual(['+node', '-node E_PROTOCOL']);
    },
  );

  it('is believed where its gradients are not finite here either: then the run has diverged (case S3)', async () => {
    const log = await withVictim(made, async () => {
      const { cluster } = made;
      cluster.write(INITIAL);
      const before = await cluster.read(LENGTH);
      const { results } = await cluster.gradients(shardSteps(1, { ...FRESH, factor: 3e38 }));
      expect(results.some(({ finite }) => !finite)).toBe(true);
      expectState(await cluster.read(LENGTH), before);
      await exactByRows(made);
    });
    expect(log).toEqual(['+node']);
  });

  it('whose parameters have drifted ends the run with E_DRIFT', async () => {
    await withVictim(made, async ({ link }) => {
      const happened = at(link, place('total', 2), ({ tag, payload }: Sum) => {
        const changed = payload.slice();
        changed[1]! ^= 1;
        return [{ tag, payload: changed }];
      });
      await expect(exactByRows(made)).rejects.toMatchObject({
        code: 'E_DRIFT',
        message: expect.stringContaining('node'),
      });
      await happened;
    });
  });
});
