// A cluster in bf16 when things go wrong: the same bits after the loss of a node in each phase of a step, and no node without such products.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import { FASTEST_BF16 as precision } from '../bf16.js';
import { CONTENT, expectState } from './executor.contract.js';
import { MODEL, shapeOf, trainMixed, trainTensorParallel } from './executor-work.js';
import { at, type Place, until } from './faults.js';
import { oneThreadExecutor } from './one-thread-executor.js';
import { type TestCluster, testCluster } from './test-cluster.js';

const model = { ...MODEL, precision };
const content = { ...CONTENT, shape: shapeOf(model) };

const place = (to: Place['to'], kind: string, nth: number, name: string): Place => ({ name, to, kind, nth });

type Training = (node: Executor) => Promise<TrainingState>;
const byRows: Training = (node) => trainMixed(node, model);
const byUnits: Training = (node) => trainTensorParallel(node, model);

const LOSSES: [name: string, train: Training, where: Place][] = (
  [
    ['data parallel', byRows, place('node', 'parameters', 2, 'while it is sent parameters')],
    ['data parallel', byRows, place('coordinator', 'sum', 1, 'before its first sums')],
    ['data parallel', byRows, place('coordinator', 'sum', 4, 'in the middle of its sums')],
    ['data parallel', byRows, place('node', 'total', 4, 'in the middle of the total')],
    ['tensor parallel', byUnits, place('node', 'firstMoment', 2, 'while it is sent the state of its slices')],
    ['tensor parallel', byUnits, place('coordinator', 'logits', 3, 'when it waits for the gradient')],
    ['tensor parallel', byUnits, place('coordinator', 'parameters', 3, 'in the middle of its state')],
    ['tensor parallel', byUnits, place('coordinator', 'collected', 2, 'when its state has been fetched')],
  ] as [string, Training, Place][]
).map(([by, train, where]) => [`${by}, ${where.name}`, train, where]);

describe(`a cluster in ${precision}`, () => {
  let made: TestCluster;
  const expected = new Map<Training, TrainingState>();
  beforeAll(async () => {
    const options = { local: 1, remotes: [], fetchEvery: 2 };
    made = await testCluster(content, options);
    for (const train of [byRows, byUnits])
      expected.set(train, await train(oneThreadExecutor({ ...content, shape: { ...content.shape, workspaces: 1 } })));
  });
  afterAll(() => made.cluster.close());

  it.each(LOSSES)('loses no bit with a node: %s', async (_, train, where) => {
    const { cluster, join } = made;
    const { link, ended } = await join(1);
    let isDone = false;
    const happened = at(link, where, () => {
      link.cut();
      return [];
    }).then(() => {
      isDone = true;
    });
    // Again, where what it is about did not come to pass in six steps.
    for (let time = 0; time < 5 && !isDone; time++) expectState(await train(cluster), expected.get(train)!);
    await happened;
    expect(await ended).toMatchObject({ kind: 'lost', error: { code: 'E_CLOSED' } });
    await until(() => cluster.status().nodes.length === 0);
    expectState(await train(cluster), expected.get(train)!);
  });
});

it(`a cluster in ${precision} has the same parameters everywhere when its sums are rounded on their way as well`, async () => {
  const options = { wire: 'bf16', checksumEvery: 1 } as const;
  const { cluster, log } = await testCluster(content, { local: 1, remotes: [1, 1], ...options });
  try {
    const { parameters } = await byRows(cluster);
    expect(parameters.every(Number.isFinite)).toBe(true);
    expect(log.filter((line) => line.startsWith('-'))).toEqual([]);
  } finally {
    await cluster.close();
  }
});

describe(`a node without products of ${precision}`, () => {
  it.each([false, true])(
    'is refused, other bits allowed or not (%s), since it could not compute',
    async (allowMixed) => {
      const { cluster, join, log } = await testCluster(content, { local: 1, remotes: [], allowMixed });
      try {
        const { ended } = await join(1, { fingerprints: { f32: 'of tests' } });
        expect(await ended).toMatchObject({
          kind: 'refused',
          error: { code: 'E_NUMERICS', message: expect.stringContaining(`no products of ${precision}`) },
        });
        expect(log).toEqual(['!node E_NUMERICS']);
      } finally {
        await cluster.close();
      }
    },
  );
});
