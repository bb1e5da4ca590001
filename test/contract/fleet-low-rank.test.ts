// A fleet whose gradients travel as low-rank factors: all members have the same parameters after each update, whatever goes wrong in either of
// the two rounds, no gradient is lost, and the same placement has the same bits.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../coordinator/fleet/fleet.js';
import { floats } from '../../src/engine/arena.js';
import { factoringOf } from '../../src/engine/factors.js';
import { initialParameters, layoutOf, type Model, modelOf } from '../../src/engine/model.js';
import { BULK_KINDS, type ToNode } from '../../src/protocol/messages.js';
import type { OptimizerStep } from '../../src/protocol/tasks.js';
import type { LocalNode } from '../../worker/node.js';
import { sameBits } from '../bits.js';
import { type AnyParcel, at, type Place, until } from './faults.js';
import { CONTENT, type Content } from './node.contract.js';
import { ADAM, FRESH, INITIAL, LENGTH, MODEL, SHAPE, SHARDS, shapeOf, shardSteps, trainMixed } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { type TestFleet, type TestNode, testFleet } from './test-fleet.js';

type Bulk = Extract<AnyParcel, { tag: unknown }>;
type Told = Extract<ToNode, { kind: 'factor' | 'update' }>;

const RANK = 2;
/** Deadlines that nobody misses. Parameters are compared after every update: members that differ end the run with E_DRIFT. */
const OPTIONS = { wire: `powersgd:${RANK}`, checksumEvery: 1, bounds: { least: 20_000, most: 20_000 } } as const;

const contentFor = (model: Model): Content => {
  const { left, right } = factoringOf(model, RANK);
  return { ...CONTENT, shape: { ...shapeOf(model), factors: Math.max(left, right) } };
};
const FACTORED = contentFor(MODEL);

/** p = p - 0.01 g: the parameters tell the sum of all totals. */
const DESCENT: OptimizerStep = { kind: 'momentum', a: 0, b: 1, c: 0.01 };
const STEPS = 8;

/** Steps of shards that all have the same rows again and again, by plain descent. */
async function descend(fleet: Fleet, steps = STEPS): Promise<Float32Array> {
  for (let t = 1; t <= steps; t++) {
    await fleet.gradients(shardSteps(t, FRESH));
    await fleet.update(MODEL, SHARDS, DESCENT);
  }
  return (await fleet.read(LENGTH)).parameters;
}

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.map((value, i) => value - b[i]!).subarray(0, 100_000));

let exact: Float32Array;
let shared: TestFleet;
beforeAll(async () => {
  exact = (await trainMixed(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }))).parameters;
  shared = await testFleet(FACTORED, { local: 1, remotes: [], ...OPTIONS });
});
afterAll(() => shared.fleet.close());

/** Trains with one node besides the coordinator, until something has happened to it, and says what the coordinator told of it. */
async function withVictim(test: (victim: TestNode) => Promise<void>): Promise<string[]> {
  const before = shared.log.length;
  const victim = await shared.join(1);
  try {
    await test(victim);
    return shared.log.slice(before).filter((line) => /^[+!-]/.test(line));
  } finally {
    victim.link.release();
    victim.link.cut();
    await victim.ended;
  }
}

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

describe('a fleet on a wire of low-rank factors', () => {
  it('has the same parameters everywhere, for kilobytes', async () => {
    const { fleet, nodes } = await testFleet(FACTORED, { local: 1, remotes: [1, 2], ...OPTIONS });
    try {
      const { left, right } = factoringOf(MODEL, RANK);
      const bytes = { left: 0, right: 0, sum: 0, total: 0 };
      for (const { link } of nodes) {
        link.toNode = (parcel) => {
          const kind = 'tag' in parcel ? BULK_KINDS[parcel.tag.kind]! : '';
          if (kind in bytes) bytes[kind as 'left'] += (parcel as Bulk).payload.length;
          return [parcel];
        };
      }
      const { parameters } = await trainMixed(fleet);
      for (const node of nodes) {
        const theirs = floats((await node.node).arena, 'parameters', LENGTH);
        expect(sameBits(theirs, parameters)).toBe(true);
      }
      expect(sameBits(parameters, exact)).toBe(false);
      expect(distance(parameters, INITIAL.parameters!)).toBeGreaterThan(0);
      // To two nodes in six steps, and once the right factors that are drawn at the beginning.
      expect(bytes).toEqual({ left: 2 * 6 * left * 4, right: 2 * 7 * right * 4, sum: 0, total: 0 });
      expect(left + right).toBeLessThan(LENGTH / 50);
    } finally {
      await fleet.close();
    }
  });

  it('has the same bits again where the same members have the same shards', async () => {
    const found = [];
    for (let time = 0; time < 2; time++) {
      const { fleet } = await testFleet(FACTORED, { local: 2, remotes: [1, 1], ...OPTIONS });
      fleet.write(INITIAL);
      found.push(await descend(fleet, 3));
      await fleet.close();
    }
    expect(sameBits(found[0]!, found[1]!)).toBe(true);
  });

  it('trains a deep autoencoder, also with a coordinator that does not compute', async () => {
    const model = modelOf([400, 120, 24, 120, 400], { inputDropout: 0, dropout: [], objective: 'reconstruction' });
    const content = contentFor(model);
    const { fleet, nodes } = await testFleet(content, { computes: false, local: 1, remotes: [1, 1], ...OPTIONS });
    try {
      const rows = { ...FRESH, pseudoLabels: 'stored', logitShift: undefined, threshold: 0, noise: 0.1 } as const;
      const { parameters } = await trainReconstruction(fleet, model, rows);
      for (const node of nodes) {
        const theirs = floats((await node.node).arena, 'parameters', layoutOf(model).length);
        expect(sameBits(theirs, parameters)).toBe(true);
      }
    } finally {
      await fleet.close();
    }
  });

  it('applies in the end what exact sums would, but for what is left at its members', async () => {
    const { fleet, local, nodes } = await testFleet(FACTORED, { local: 1, remotes: [1, 1], ...OPTIONS });
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
      expect(Math.hypot(...missing.subarray(0, 100_000))).toBeLessThan(
        1e-5 * Math.hypot(...oracle.subarray(0, 100_000)),
      );
      expect(Math.hypot(...left.subarray(0, 100_000))).toBeGreaterThan(
        0.1 * Math.hypot(...oracle.subarray(0, 100_000)),
      );
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

async function trainReconstruction(fleet: Fleet, model: Model, rows: typeof FRESH) {
  const { length } = layoutOf(model);
  fleet.write({
    parameters: initialParameters(model, 1, 0),
    firstMoment: new Float32Array(length),
    secondMoment: new Float32Array(length),
  });
  for (let t = 1; t <= 4; t++) {
    const steps = shardSteps(t, rows, model).map((step) => ({ ...step, labelled: undefined, labelledBatch: 0 }));
    await fleet.gradients(steps);
    await fleet.update(model, SHARDS, ADAM(t));
  }
  return fleet.read(length);
}

describe('a node that is lost', () => {
  it.each(PLACES)('$name takes no gradient with it, and the others stay alike', async (where) => {
    const log = await withVictim(async ({ link, ended }) => {
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
    await withVictim(async ({ link }) => {
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
      await withVictim(async ({ link }) => {
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
        const misses = [spare, residual].map((left) =>
          Math.hypot(...oracle.subarray(0, 100_000).map((value, i) => value - total[i]! - left[i]!)),
        );
        expect(Math.min(...misses)).toBeLessThan(1e-5 * Math.hypot(...oracle.subarray(0, 100_000)));
      });
    }
  });
});

describe('what low rank has left', () => {
  it('is forgotten at a beginning, by a node that is new, and where an update has not been told, and only then', async () => {
    const { fleet, join } = await testFleet(FACTORED, { local: 1, remotes: [], ...OPTIONS });
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
    const hasty = await testFleet(FACTORED, { local: 1, remotes: [], ...OPTIONS, bounds: { least: 300, most: 2_000 } });
    const { fleet } = hasty;
    try {
      const { link } = await hasty.join(1);
      fleet.write(INITIAL);
      await descend(fleet, 4);
      const told: Told[] = [];
      let isLate: () => void = () => undefined;
      const late = new Promise<void>((resolve) => {
        isLate = resolve;
      });
      link.toCoordinator = (parcel) => {
        if ('message' in parcel && parcel.message.kind === 'factored') {
          link.hold();
          link.toCoordinator = (each) => [each];
          setTimeout(() => link.release(), 3_000);
          isLate();
        }
        return [parcel];
      };
      await descend(fleet, 1);
      await late;
      expect(fleet.status().nodes[0]!.state).toBe('behind');
      await expect.poll(() => fleet.status().nodes[0]!.state, { timeout: 5_000 }).toBe('working');
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
});

describe('factors that are not what they should be', () => {
  it.each([
    ['left', 1],
    ['right', 1],
    ['right', 3],
  ] as const)(
    'end in E_NOT_FINITE with the parameters as they were, where %s ones hold NaN (%i)',
    async (kind, nth) => {
      await withVictim(async ({ link }) => {
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
    await withVictim(async ({ link }) => {
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
    const log = await withVictim(async ({ link, ended }) => {
      const happened = at(link, { name: '', to: 'coordinator', kind: 'left', nth: 2 }, change);
      shared.fleet.write(INITIAL);
      await descend(shared.fleet);
      await happened;
      expect(await ended).toMatchObject({ kind: 'lost' });
    });
    expect(log).toEqual(['+node', '-node E_PROTOCOL']);
  });

  it('are dropped where they come twice', async () => {
    await withVictim(async ({ link }) => {
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
