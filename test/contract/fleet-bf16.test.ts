// A fleet in bf16 when things go wrong: the same bits after the loss of a node in each phase of a step, and no node without such products.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import type { Node } from '../../src/protocol/node.js';
import { FASTEST_BF16 as precision } from '../bf16.js';
import { at, type Place, until } from './faults.js';
import { CONTENT, expectState } from './node.contract.js';
import { MODEL, shapeOf, trainMixed, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { type TestFleet, testFleet } from './test-fleet.js';

const model = { ...MODEL, precision };
const content = { ...CONTENT, shape: shapeOf(model) };

const place = (to: Place['to'], kind: string, nth: number, name: string): Place => ({ name, to, kind, nth });

type Training = (node: Node) => Promise<TrainingState>;
const byRows: Training = (node) => trainMixed(node, model);
const byUnits: Training = (node) => trainSliced(node, model);

const LOSSES: [name: string, train: Training, where: Place][] = (
  [
    ['by rows', byRows, place('node', 'parameters', 2, 'while it is sent parameters')],
    ['by rows', byRows, place('coordinator', 'sum', 1, 'before its first sums')],
    ['by rows', byRows, place('coordinator', 'sum', 4, 'in the middle of its sums')],
    ['by rows', byRows, place('node', 'total', 4, 'in the middle of the total')],
    ['by hidden units', byUnits, place('node', 'firstMoment', 2, 'while it is sent the state of its slices')],
    ['by hidden units', byUnits, place('coordinator', 'logits', 3, 'when it waits for the gradient')],
    ['by hidden units', byUnits, place('coordinator', 'parameters', 3, 'in the middle of its state')],
    ['by hidden units', byUnits, place('coordinator', 'collected', 2, 'when its state has been fetched')],
  ] as [string, Training, Place][]
).map(([by, train, where]) => [`${by}, ${where.name}`, train, where]);

describe(`a fleet in ${precision}`, () => {
  let made: TestFleet;
  const expected = new Map<Training, TrainingState>();
  beforeAll(async () => {
    const options = { local: 1, remotes: [], mirrorEvery: 2 };
    made = await testFleet(content, options);
    for (const train of [byRows, byUnits])
      expected.set(train, await train(oneThreadNode({ ...content, shape: { ...content.shape, lanes: 1 } })));
  });
  afterAll(() => made.fleet.close());

  it.each(LOSSES)('loses no bit with a node: %s', async (_, train, where) => {
    const { fleet, join } = made;
    const { link, ended } = await join(1);
    let isDone = false;
    const happened = at(link, where, () => {
      link.cut();
      return [];
    }).then(() => {
      isDone = true;
    });
    // Again, where what it is about did not come to pass in six steps.
    for (let time = 0; time < 5 && !isDone; time++) expectState(await train(fleet), expected.get(train)!);
    await happened;
    expect(await ended).toMatchObject({ kind: 'lost', error: { code: 'E_CLOSED' } });
    await until(() => fleet.status().nodes.length === 0);
    expectState(await train(fleet), expected.get(train)!);
  });
});

it(`a fleet in ${precision} has the same parameters everywhere when its sums are rounded on their way as well`, async () => {
  const options = { wire: 'bf16', checksumEvery: 1 } as const;
  const { fleet, log } = await testFleet(content, { local: 1, remotes: [1, 1], ...options });
  try {
    const { parameters } = await byRows(fleet);
    expect(parameters.every(Number.isFinite)).toBe(true);
    expect(log.filter((line) => line.startsWith('-'))).toEqual([]);
  } finally {
    await fleet.close();
  }
});

describe(`a node without products of ${precision}`, () => {
  it.each([false, true])(
    'is refused, other bits allowed or not (%s), since it could not compute',
    async (allowMixed) => {
      const { fleet, join, log } = await testFleet(content, { local: 1, remotes: [], allowMixed });
      try {
        const { ended } = await join(1, { fingerprints: { f32: 'of tests' } });
        expect(await ended).toMatchObject({
          kind: 'refused',
          error: { code: 'E_NUMERICS', message: expect.stringContaining(`no products of ${precision}`) },
        });
        expect(log).toEqual(['!node E_NUMERICS']);
      } finally {
        await fleet.close();
      }
    },
  );
});
