// A local node in bf16: the bits of one thread for any number of threads, and after any loss of one. The rest of the contract knows no precision.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import { createLocalNode, type LocalNode } from '../../worker/node.js';
import { BF16 } from '../bf16.js';
import { losing } from './losing.js';
import { CONTENT, expectState } from './node.contract.js';
import { MODEL, RANGES, shapeOf, trainMixed, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';

const CASES = BF16.flatMap((precision) => [1, 2, 3].map((threads) => [threads, precision] as const));

describe.each(CASES)('a local node of %i in %s', (threads, precision) => {
  const model = { ...MODEL, precision };
  const contentFor = (lanes: number) => ({ ...CONTENT, shape: { ...shapeOf(model), lanes } });
  let node: LocalNode;
  let byRows: TrainingState;
  let bySlices: TrainingState;

  beforeAll(async () => {
    node = await createLocalNode(contentFor(threads));
    byRows = await trainMixed(oneThreadNode(contentFor(1)), model);
    bySlices = await trainSliced(oneThreadNode(contentFor(1)), model);
  });
  afterAll(() => node.close());

  it('trains to the same bits as one thread, by rows and by hidden units, in turns', async () => {
    expectState(await trainMixed(node, model), byRows);
    expectState(await trainSliced(node, model), bySlices);
    expectState(await trainMixed(node, model), byRows);
  });

  it('trains to the same bits when workers are lost at random moments', async () => {
    const lossy = losing(node, (index) => node.loseThread(index), threads);
    expectState(await trainMixed(lossy, model), byRows);
    expectState(await trainSliced(lossy, model), bySlices);
  });

  it('predicts by the parameters that were written last', async () => {
    const oracle = oneThreadNode(contentFor(1));
    for (const { parameters } of [byRows, bySlices]) {
      node.write({ parameters });
      oracle.write({ parameters });
      const classesOf = async (of: Pick<LocalNode, 'predict'>) =>
        (await of.predict(model, 'unlabelled', RANGES)).map(({ classes, confidences }) => ({ classes, confidences }));
      expect(await classesOf(node)).toEqual(await classesOf(oracle));
    }
  });
});
