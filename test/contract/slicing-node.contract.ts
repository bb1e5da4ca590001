// The contract of a node whose workers hold slices of the hidden units, to be run on every implementation, beside that of all nodes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import type { Node } from '../../src/protocol/node.js';
import { sameBits } from '../bits.js';
import { losing } from './losing.js';
import { CONTENT, expectState, type NodeUnderTest } from './node.contract.js';
import { INITIAL, LENGTH, SHAPE, slicedStep, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';

export function describeSlicingNode(name: string, create: () => Promise<NodeUnderTest>): void {
  describe(`${name}, by hidden units`, () => {
    let node: Node;
    let loseWorker: NodeUnderTest['loseWorker'];
    let expected: TrainingState;

    beforeAll(async () => {
      ({ node, loseWorker } = await create());
      expected = await trainSliced(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }));
    });
    afterAll(() => node.close());

    it('trains to the same bits as one thread', async () => {
      expectState(await trainSliced(node), expected);
    });

    it('goes on after a step that nobody gave a gradient to, which changed nothing', async () => {
      node.write(INITIAL);
      await node.forward(slicedStep(9, 'fresh'));
      expect(sameBits((await node.read(LENGTH)).parameters, INITIAL.parameters!)).toBe(true);
      expectState(await trainSliced(node), expected);
    });

    it.each([1, 2, 3])('trains to the same bits when workers are lost at random moments (%i)', async (seed) => {
      expectState(await trainSliced(losing(node, loseWorker, seed)), expected);
    });
  });
}
