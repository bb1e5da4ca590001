// Faults by name, each injected into each phase of a run on a fleet: the same bits as without it, or the error that it should be.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import { sameBits } from '../bits.js';
import { type AnyParcel, at, kindOf, PLACES, type Place, place, until } from './faults.js';
import { CONTENT } from './node.contract.js';
import { ADAM, FRESH, INITIAL, LENGTH, MODEL, SHAPE, SHARDS, shardSteps, trainMixed } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { type TestFleet, type TestNode, testFleet } from './test-fleet.js';

let expected: TrainingState;
/** One that has all the time in the world, and one for nodes that stall: on a busy machine others may miss its deadlines too. */
let patient: TestFleet;
let hasty: TestFleet;
let shared: TestFleet;
beforeAll(async () => {
  expected = await trainMixed(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }));
  patient = await testFleet(CONTENT, { local: 1, remotes: [], bounds: { least: 20_000, most: 20_000 } });
  hasty = await testFleet(CONTENT, { local: 1, remotes: [], bounds: { least: 300, most: 3_000 } });
  shared = patient;
});
afterAll(() => Promise.all([patient.fleet.close(), hasty.fleet.close()]));

/** A part of a predicting run that needs the evaluation images too. */
async function trainAndEvaluate({ fleet }: TestFleet): Promise<TrainingState> {
  fleet.write({ parameters: INITIAL.parameters! });
  await fleet.predict(MODEL, 'evaluation', [
    [0, 50],
    [50, 100],
  ]);
  fleet.write({ pseudoLabels: new Uint8Array(SHAPE.unlabelled), confidences: new Float32Array(SHAPE.unlabelled) });
  return trainMixed(fleet);
}

/**
 * Trains, again and again until something has happened: on a busy machine a node may miss its deadline once, and be left out for steps.
 * Each time has to end on the same bits.
 */
async function trainUntil(happened: Promise<void>): Promise<void> {
  let isDone = false;
  happened.then(() => {
    isDone = true;
  });
  for (let time = 0; time < 10; time++) {
    expectState(await trainAndEvaluate(shared));
    if (isDone) return;
    await until(() => shared.fleet.status().nodes.every(({ state }) => state !== 'behind'));
  }
  throw new Error('it did not happen');
}

function expectState(found: TrainingState, state = expected): void {
  for (const part of ['parameters', 'firstMoment', 'secondMoment', 'confidences'] as const) {
    expect(sameBits(found[part], state[part]), part).toBe(true);
  }
  expect(found.pseudoLabels).toEqual(state.pseudoLabels);
}

/** Runs with one node besides the coordinator, to which something happens. */
async function withVictim(test: (victim: TestNode) => Promise<void>): Promise<string[]> {
  const before = shared.log.length;
  const victim = await shared.join(1);
  expect(shared.log.slice(before)).toEqual(['+node']);
  try {
    await test(victim);
    // That nodes make a run slower depends on the machine; who came and went does not.
    return shared.log.slice(before).filter((line) => /^[+!-]/.test(line));
  } finally {
    victim.link.release();
    victim.link.cut();
    await victim.ended;
    expect(shared.fleet.status().nodes).toEqual([]);
  }
}

describe('a connection that breaks', () => {
  it.each(PLACES)('$name costs no bit', async (where) => {
    const log = await withVictim(async ({ link, ended }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      await trainUntil(happened);
      expect(await ended).toMatchObject({ kind: 'lost', error: { code: 'E_CLOSED' } });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });
});

it('a node that has parts of the total already does the work of one that is lost, at no cost of a bit', async () => {
  const { fleet, nodes } = await testFleet(CONTENT, { local: 1, remotes: [1, 1], computes: false });
  const [{ link: lost }, { link: other }] = nodes as [TestNode, TestNode];
  try {
    const chunks: number[] = [];
    lost.toCoordinator = (parcel) =>
      kindOf(parcel) === 'sum' && 'tag' in parcel && parcel.tag.offset > 0 ? [] : [parcel];
    other.toNode = (parcel) => {
      if (kindOf(parcel) === 'total' && 'tag' in parcel) chunks.push(parcel.tag.offset);
      if (chunks.length === 1) lost.cut();
      return [parcel];
    };
    expectState(await trainMixed(fleet));
    expect(chunks.slice(0, 2)).toEqual([0, 2 ** 20]);
    expect(fleet.status().nodes).toHaveLength(1);
  } finally {
    await fleet.close();
  }
});

describe('a node that stalls beyond its deadline, and then goes on', () => {
  beforeAll(() => {
    shared = hasty;
  });
  afterAll(() => {
    shared = patient;
  });

  it.each(PLACES)('$name costs no bit, and it is of use again', async (where) => {
    const log = await withVictim(async ({ link }) => {
      // Images come once. For all others its deadlines are known first, and short.
      if (where.kind !== 'evaluationImages') await trainUntil(Promise.resolve());
      const happened = at(link, where, (parcel) => {
        link.hold();
        setTimeout(() => link.release(), 800);
        return [parcel];
      });
      await trainUntil(happened);
      await until(() => shared.fleet.status().nodes[0]?.state === 'working');
      await trainUntil(at(link, place('gradients'), (parcel) => [parcel]));
    });
    expect(log).toEqual(['+node']);
  });
});

describe('a node', () => {
  it('may send everything twice', async () => {
    await withVictim(async ({ link }) => {
      link.toCoordinator = (parcel) =>
        'message' in parcel && parcel.message.kind === 'leaving' ? [parcel] : [parcel, parcel];
      expectState(await trainAndEvaluate(shared));
      expect(shared.fleet.status().nodes).toMatchObject([{ state: 'working' }]);
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
    const log = await withVictim(async ({ link }) => {
      const happened = at(link, where, (parcel) => [change(parcel as never)]);
      await trainUntil(happened);
    });
    expect(log).toEqual(['+node', '-node E_PROTOCOL']);
  });

  it.each([
    ['E_WORKER_LOST', '-node E_WORKER_LOST'],
    ['E_MEMORY', '-node E_MEMORY'],
  ] as const)('whose machine fails with %s is sent away, and its work done again', async (code, left) => {
    const log = await withVictim(async ({ link }) => {
      const failing = ({ message }: { message: { request: number } }): AnyParcel[] => {
        const { request } = message;
        return [
          { message: { kind: 'failed', request, code, message: 'it failed', fix: '', lostWorkers: 4 } } as AnyParcel,
        ];
      };
      const before = shared.fleet.health().lostWorkers;
      const happened = at(link, place('computed', 2), failing as never);
      await trainUntil(happened);
      expect(shared.fleet.health().lostWorkers).toBe(before + 4);
    });
    expect(log).toEqual(['+node', left]);
  });

  it.each([1, 2, 3])(
    'whose sums hold NaN ends in E_NOT_FINITE, with the parameters as they were (chunk %i)',
    async (nth) => {
      await withVictim(async ({ link }) => {
        const { fleet } = shared;
        fleet.write(INITIAL);
        const happened = at(link, place('sum', nth), ({ tag, payload }: Sum) => {
          const floats = new Float32Array(payload.buffer.slice(0));
          floats[floats.length - 1] = Number.NaN;
          return [{ tag, payload: new Uint8Array(floats.buffer) }];
        });
        const before = await fleet.read(LENGTH);
        await fleet.gradients(shardSteps(1, FRESH));
        await expect(fleet.update(MODEL, SHARDS, ADAM(1))).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
        await happened;
        expectState(await fleet.read(LENGTH), before);
        expectState(await trainAndEvaluate(shared));
      });
    },
  );

  it('whose parameters have drifted ends the run with E_DRIFT', async () => {
    await withVictim(async ({ link }) => {
      const happened = at(link, place('total', 2), ({ tag, payload }: Sum) => {
        const changed = payload.slice();
        changed[1]! ^= 1;
        return [{ tag, payload: changed }];
      });
      await expect(trainAndEvaluate(shared)).rejects.toMatchObject({
        code: 'E_DRIFT',
        message: expect.stringContaining('node'),
      });
      await happened;
    });
  });

  it.each(PLACES)('that wants to leave $name finishes its work and goes', async (where) => {
    const log = await withVictim(async ({ link, ended, leave }) => {
      const happened = at(link, where, (parcel) => {
        leave();
        return [parcel];
      });
      await trainUntil(happened);
      expect(await ended).toEqual({ kind: 'left' });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });

  it.each(PLACES)('may join while another node is at work ($name)', async (where) => {
    const joined: Promise<TestNode>[] = [];
    await withVictim(async ({ link }) => {
      const happened = at(link, where, (parcel) => {
        joined.push(shared.join(1, { name: 'second' }));
        return [parcel];
      });
      await trainUntil(happened);
      const second = await joined[0]!;
      expectState(await trainAndEvaluate(shared));
      expect(shared.fleet.status().nodes.map(({ name, state }) => [name, state])).toEqual([
        ['node', 'working'],
        ['second', 'working'],
      ]);
      second.link.cut();
      await second.ended;
      await until(() => shared.fleet.status().nodes.length === 1);
    });
  });
});
