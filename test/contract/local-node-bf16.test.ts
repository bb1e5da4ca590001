// A local node in bf16: the bits of one thread for any number of threads, and after any loss of one. The rest of the contract knows no precision.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import { createLocalNode, type LocalNode } from '../../worker/node.js';
import { lacksBf16 } from '../bf16.js';
import { losing } from './losing.js';
import { CONTENT, expectState } from './node.contract.js';
import { MODEL, RANGES, shapeOf, trainMixed, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';

const BF16 = { ...MODEL, precision: 'bf16' } as const;
const contentFor = (lanes: number) => ({ ...CONTENT, shape: { ...shapeOf(BF16), lanes } });

describe.skipIf(lacksBf16).each([1, 2, 3])('a local node of %i in bf16', (threads) => {
  let node: LocalNode;
  let byRows: TrainingState;
  let bySlices: TrainingState;

  beforeAll(async () => {
    node = await createLocalNode(contentFor(threads));
    byRows = await trainMixed(oneThreadNode(contentFor(1)), BF16);
    bySlices = await trainSliced(oneThreadNode(contentFor(1)), BF16);
  });
  afterAll(() => node.close());

  it('trains to the same bits as one thread, by rows and by hidden units, in turns', async () => {
    expectState(await trainMixed(node, BF16), byRows);
    expectState(await trainSliced(node, BF16), bySlices);
    expectState(await trainMixed(node, BF16), byRows);
  });

  it('trains to the same bits when workers are lost at random moments', async () => {
    const lossy = losing(node, (index) => node.loseThread(index), threads);
    expectState(await trainMixed(lossy, BF16), byRows);
    expectState(await trainSliced(lossy, BF16), bySlices);
  });

  it('predicts by the parameters that were written last', async () => {
    const oracle = oneThreadNode(contentFor(1));
    for (const { parameters } of [byRows, bySlices]) {
      node.write({ parameters });
      oracle.write({ parameters });
      const classesOf = async (of: Pick<LocalNode, 'predict'>) =>
        (await of.predict(BF16, 'unlabelled', RANGES)).map(({ classes, confidences }) => ({ classes, confidences }));
      expect(await classesOf(node)).toEqual(await classesOf(oracle));
    }
  });
});
