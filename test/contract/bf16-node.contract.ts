// The contract of a node whose products are of bfloat16, to be run on every implementation: the same bits as one thread, which the rest of
// the contract asks of floats.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import type { Node } from '../../src/protocol/node.js';
import { FASTEST_BF16 as precision } from '../bf16.js';
import { losing } from './losing.js';
import { CONTENT, type Content, expectState, type NodeUnderTest } from './node.contract.js';
import { MODEL, RANGES, shapeOf, trainMixed, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';

export function describeBf16Node(name: string, create: (content: Content) => Promise<NodeUnderTest>): void {
  describe(`${name}, in ${precision}`, () => {
    const model = { ...MODEL, precision };
    const content = { ...CONTENT, shape: shapeOf(model) };
    const oracle = () => oneThreadNode({ ...content, shape: { ...content.shape, lanes: 1 } });
    let node: Node;
    let loseWorker: NodeUnderTest['loseWorker'];
    let byRows: TrainingState;
    let bySlices: TrainingState;

    beforeAll(async () => {
      ({ node, loseWorker } = await create(content));
      byRows = await trainMixed(oracle(), model);
      bySlices = await trainSliced(oracle(), model);
    });
    afterAll(() => node.close());

    it('trains to the same bits as one thread, by rows and by hidden units, in turns', async () => {
      expectState(await trainMixed(node, model), byRows);
      expectState(await trainSliced(node, model), bySlices);
      expectState(await trainMixed(node, model), byRows);
    });

    it('trains to the same bits when workers are lost at random moments', async () => {
      const lossy = losing(node, loseWorker, 1);
      expectState(await trainMixed(lossy, model), byRows);
      expectState(await trainSliced(lossy, model), bySlices);
    });

    it('predicts by the parameters that were written last', async () => {
      const expected = oracle();
      for (const { parameters } of [byRows, bySlices]) {
        node.write({ parameters });
        expected.write({ parameters });
        const classesOf = async (of: Pick<Node, 'predict'>) =>
          (await of.predict(model, 'unlabelled', RANGES)).map(({ classes, confidences }) => ({ classes, confidences }));
        expect(await classesOf(node)).toEqual(await classesOf(expected));
      }
    });
  });
}
