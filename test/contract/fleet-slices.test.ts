// Faults by name, each injected into each phase of a step by hidden units on a fleet: the same bits as without it, or the error that it
// should be.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import { sameBits } from '../bits.js';
import { type AnyParcel, at, kindOf, type Place, until } from './faults.js';
import { CONTENT, expectState } from './node.contract.js';
import { FRESH, INITIAL, LENGTH, MODEL, RANGES, SHAPE, shardSteps, slicedStep, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { type TestFleet, type TestNode, testFleet } from './test-fleet.js';

const to = (end: Place['to'], kind: string, nth: number, name = kind): Place => ({ name, to: end, kind, nth });

/** In a training of six steps, whose state is fetched after each second. */
const PLACES: readonly Place[] = [
  to('node', 'images', 1, 'while it is sent images'),
  to('node', 'firstMoment', 2, 'while it is sent the state of its slices'),
  to('node', 'forward', 1, 'before its first forward pass'),
  to('node', 'forward', 4, 'before a forward pass'),
  to('coordinator', 'logits', 3, 'when it has done a forward pass and waits for the gradient'),
  to('node', 'backward', 2, 'before a backward pass'),
  to('coordinator', 'updated', 5, 'when it has updated'),
  to('node', 'collect', 2, 'before its state is fetched'),
  to('coordinator', 'parameters', 3, 'in the middle of its state'),
  to('coordinator', 'secondMoment', 14, 'at the end of its state'),
  to('coordinator', 'collected', 3, 'when its state has been fetched'),
];

let expected: TrainingState;
/** One that has all the time in the world, and one for nodes that stall. */
let patient: TestFleet;
let hasty: TestFleet;
beforeAll(async () => {
  expected = await trainSliced(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }));
  const options = { local: 1, remotes: [], mirrorEvery: 2 };
  patient = await testFleet(CONTENT, { ...options, bounds: { least: 20_000, most: 20_000 } });
  hasty = await testFleet(CONTENT, { ...options, bounds: { least: 300, most: 3_000 } });
});
afterAll(() => Promise.all([patient.fleet.close(), hasty.fleet.close()]));

/** Runs with one node besides the coordinator, to which something happens. Returns who came and went. */
async function withVictim(shared: TestFleet, test: (victim: TestNode) => Promise<void>): Promise<string[]> {
  const before = shared.log.length;
  const victim = await shared.join(1);
  try {
    await test(victim);
    return shared.log.slice(before);
  } finally {
    victim.link.release();
    victim.link.cut();
    await victim.ended;
    expect(shared.fleet.status().nodes).toEqual([]);
  }
}

/** Again and again until it has happened: on a busy machine a node may be left out for steps. Each time has to end on the same bits. */
async function trainUntil({ fleet }: TestFleet, happened: Promise<void>): Promise<void> {
  let isDone = false;
  happened.then(() => {
    isDone = true;
  });
  for (let time = 0; time < 10; time++) {
    expectState(await trainSliced(fleet), expected);
    if (isDone) return;
    await until(() => fleet.status().nodes.every(({ state }) => state !== 'behind'));
  }
  throw new Error('it did not happen');
}

/** All but images, which came when the node joined. */
const INSIDE = PLACES.filter(({ kind }) => kind !== 'images');

/** Taking over, forward passes, backward passes, the fetching of state. */
const PHASES = new Set(['firstMoment', 'logits', 'backward', 'secondMoment']);
const ONE_A_PHASE = INSIDE.filter(({ kind }) => PHASES.has(kind));

describe('a connection that breaks, by hidden units', () => {
  it.each(INSIDE)('$name costs no bit', async (where) => {
    const log = await withVictim(patient, async ({ link, ended }) => {
      const happened = at(link, where, () => {
        link.cut();
        return [];
      });
      await trainUntil(patient, happened);
      expect(await ended).toMatchObject({ kind: 'lost', error: { code: 'E_CLOSED' } });
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });
});

describe('a node that stalls beyond its deadline, and then goes on, by hidden units', () => {
  it.each(ONE_A_PHASE)('$name costs no bit, and it is of use again', async (where) => {
    const log = await withVictim(hasty, async ({ link }) => {
      await trainUntil(hasty, Promise.resolve());
      const happened = at(link, where, (parcel) => {
        link.hold();
        setTimeout(() => link.release(), 800);
        return [parcel];
      });
      await trainUntil(hasty, happened);
      await until(() => hasty.fleet.status().nodes[0]?.state === 'working');
      await trainUntil(
        hasty,
        at(link, to('node', 'forward', 1), (parcel) => [parcel]),
      );
    });
    expect(log).toEqual(['+node']);
  });
});

describe('a node that holds slices', () => {
  it.each(INSIDE)('and wants to leave $name hands them over and goes', async (where) => {
    const log = await withVictim(patient, async ({ link, ended, leave }) => {
      const replayed: string[] = [];
      const happened = at(link, where, (parcel) => {
        leave();
        return [parcel];
      });
      const { sliced } = patient.local;
      const replay = sliced.replay.bind(sliced);
      sliced.replay = (...args) => {
        replayed.push('replay');
        return replay(...args);
      };
      try {
        await trainUntil(patient, happened);
      } finally {
        sliced.replay = replay;
      }
      expect(await ended).toEqual({ kind: 'left' });
      expect(replayed).toEqual([]);
    });
    expect(log).toEqual(['+node', '-node E_CLOSED']);
  });

  it.each(ONE_A_PHASE)('may be joined by another ($name)', async (where) => {
    const joined: Promise<TestNode>[] = [];
    await withVictim(patient, async ({ link }) => {
      const happened = at(link, where, (parcel) => {
        joined.push(patient.join(1, { name: 'second' }));
        return [parcel];
      });
      await trainUntil(patient, happened);
      const second = await joined[0]!;
      const isUsed = at(second.link, to('coordinator', 'logits', 1), (parcel) => [parcel]);
      await trainUntil(patient, isUsed);
      second.link.cut();
      await second.ended;
      await until(() => patient.fleet.status().nodes.length === 1);
    });
  });

  it('may send everything twice', async () => {
    await withVictim(patient, async ({ link }) => {
      link.toCoordinator = (parcel) => [parcel, parcel];
      expectState(await trainSliced(patient.fleet), expected);
      expect(patient.fleet.status().nodes).toMatchObject([{ state: 'working' }]);
    });
  });

  type Sums = { message: { kind: 'logits'; sums: { logits: Uint8Array; clean: Uint8Array; weightBound: number }[] } };
  type State = Extract<AnyParcel, { tag: unknown }>;
  const withSums = (change: (sums: Sums['message']['sums']) => unknown) => {
    return ({ message }: Sums) => ({ message: { ...message, sums: change(message.sums) } }) as AnyParcel;
  };
  const logits = to('coordinator', 'logits', 3);

  const wrong: [name: string, where: Place, change: (parcel: never) => AnyParcel][] = [
    ['fewer sums than subtrees', logits, withSums((sums) => sums.slice(1))],
    ['logits of fewer rows', logits, withSums(([sum]) => [{ ...sum, logits: sum!.logits.slice(4) }])],
    ['clean logits of other rows', logits, withSums(([sum]) => [{ ...sum, clean: new Uint8Array(4) }])],
    ['a bound below zero', logits, withSums(([sum]) => [{ ...sum, weightBound: -1 }])],
    [
      'state with a piece missing',
      to('coordinator', 'parameters', 2),
      ({ tag, payload }: State) => ({ tag: { ...tag, offset: tag.offset + 64 }, payload }),
    ],
    [
      'state of another request',
      to('coordinator', 'firstMoment', 2),
      ({ tag, payload }: State) => ({ tag: { ...tag, attempt: tag.attempt - 1 }, payload }),
    ],
    [
      'a piece of state that is too short',
      to('coordinator', 'secondMoment', 1),
      ({ tag, payload }: State) => ({ tag, payload: payload.slice(4) }),
    ],
    [
      'state with a bit that has flipped',
      to('coordinator', 'secondMoment', 1),
      ({ tag, payload }: State) => ({ tag, payload: payload.map((byte, i) => (i === 5 ? byte ^ 1 : byte)) }),
    ],
  ];

  it.each(wrong)('and sends %s is sent away, and its slices made again', async (_, where, change) => {
    const log = await withVictim(patient, async ({ link }) => {
      const happened = at(link, where, (parcel) => [change(parcel as never)]);
      await trainUntil(patient, happened);
    });
    expect(log).toEqual(['+node', '-node E_PROTOCOL']);
  });

  it('is sent no labels, and nobody is asked for any', async () => {
    await withVictim(patient, async ({ link }) => {
      const kinds = new Set<string>();
      link.toNode = (parcel) => {
        kinds.add(kindOf(parcel));
        return [parcel];
      };
      await trainSliced(patient.fleet);
      expect([...kinds].sort()).toEqual([
        'backward',
        'collect',
        'firstMoment',
        'forward',
        'parameters',
        'secondMoment',
      ]);
    });
  });
});

describe('a fleet by hidden units', () => {
  async function withFleet(options: Parameters<typeof testFleet>[1], test: (fleet: TestFleet) => Promise<void>) {
    const fleet = await testFleet(CONTENT, { bounds: { least: 20_000, most: 20_000 }, patienceMs: 20_000, ...options });
    try {
      await test(fleet);
    } finally {
      await fleet.fleet.close();
    }
  }

  it('does all steps again that were not fetched, and again where the next one is lost in it', async () => {
    await withFleet(
      { local: 1, remotes: [1, 1], computes: false, mirrorEvery: 100 },
      async ({ fleet, nodes, join }) => {
        const [first, second] = nodes as [TestNode, TestNode];
        const lost = at(first.link, to('node', 'backward', 5), () => {
          first.link.cut();
          return [];
        });
        const steps: number[] = [];
        const lostAgain = at(
          second.link,
          to('node', 'replay', 1),
          ({ message }: { message: { steps: unknown[] } } & AnyParcel) => {
            steps.push(message.steps.length);
            void join(1, { name: 'third' });
            second.link.cut();
            return [];
          },
        );
        expectState(await trainSliced(fleet), expected);
        await Promise.all([lost, lostAgain]);
        expect(steps).toEqual([5]);
      },
    );
  });

  it('goes on with others from what it has when all nodes are lost, and waits for one', async () => {
    await withFleet(
      { local: 1, remotes: [2], computes: false, mirrorEvery: 3 },
      async ({ fleet, nodes, join, log }) => {
        const [first] = nodes as [TestNode];
        void at(first.link, to('node', 'forward', 6), () => {
          first.link.cut();
          return [];
        });
        void first.ended.then(() => join(1, { name: 'second' }));
        expectState(await trainSliced(fleet), expected);
        expect(log).toEqual(['+node', '-node E_CLOSED', 'waiting', '+second']);
      },
    );
  });

  it('changes to shards and back without a bit of difference', async () => {
    const mixed = async (node: TestFleet['fleet'] | ReturnType<typeof oneThreadNode>) => {
      node.write({
        ...INITIAL,
        pseudoLabels: new Uint8Array(SHAPE.unlabelled),
        confidences: new Float32Array(SHAPE.unlabelled),
      });
      for (let t = 1; t <= 4; t++) {
        const { logits } = await node.forward(slicedStep(t, 'fresh'));
        await node.backward(logits.map((logit) => logit / 1e3));
        if (t === 2) await node.predict(MODEL, 'unlabelled', RANGES);
        if (t === 3) {
          await node.gradients(shardSteps(t, FRESH));
          await node.update(MODEL, SHAPE.shards, { kind: 'momentum', a: 0.9, b: 0.01, c: 1 });
        }
      }
      return node.read(LENGTH);
    };
    const expected = await mixed(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }));
    await withFleet({ local: 1, remotes: [1, 1] }, async ({ fleet }) => expectState(await mixed(fleet), expected));
  });

  it('moves less than a hundredth of what data-parallel steps move', async () => {
    await withFleet({ local: 1, remotes: [1] }, async ({ fleet, nodes }) => {
      fleet.write(INITIAL);
      let bytes = 0;
      const count = (parcel: AnyParcel) => {
        const ofMessage = (value: unknown): number => {
          if (value instanceof Uint8Array) return value.length;
          if (typeof value === 'object' && value !== null)
            return Object.values(value).reduce((sum, each) => sum + ofMessage(each), 0);
          return 8;
        };
        bytes += 'message' in parcel ? ofMessage(parcel.message) : parcel.payload.length;
      };
      const step = async (t: number) => {
        const { logits } = await fleet.forward(slicedStep(t, 'fresh'));
        await fleet.backward(logits.map(() => 0));
      };
      await step(1);
      nodes[0]!.link.toNode = (parcel) => {
        count(parcel);
        return [parcel];
      };
      nodes[0]!.link.toCoordinator = (parcel) => {
        count(parcel);
        return [parcel];
      };
      await step(2);
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThan((2 * LENGTH * 4) / 100);
    });
  });

  it('refuses to lose a part of a state that is elsewhere', async () => {
    await withFleet({ local: 1, remotes: [1] }, async ({ fleet }) => {
      fleet.write(INITIAL);
      const { logits } = await fleet.forward(slicedStep(1, 'fresh'));
      await fleet.backward(logits.map(() => 0));
      expect(() => fleet.write({ parameters: INITIAL.parameters! })).toThrow('elsewhere');
      const { parameters } = await fleet.read(LENGTH);
      expect(sameBits(parameters, INITIAL.parameters!)).toBe(true);
      fleet.write({ parameters });
    });
  });
});
