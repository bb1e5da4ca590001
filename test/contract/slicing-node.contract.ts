// The contract of a node whose workers hold slices of the hidden units, to be run on every implementation, beside that of all nodes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import { layoutOf } from '../../src/engine/model.js';
import type { Node } from '../../src/protocol/node.js';
import { sameBits } from '../bits.js';
import { losing } from './losing.js';
import { CONTENT, expectState, type NodeUnderTest } from './node.contract.js';
import { AUTOENCODER, initialOf, MODEL, SHAPE, slicedStep, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';

/** seeds: as for all nodes. */
export function describeSlicingNode(
  name: string,
  create: () => Promise<NodeUnderTest>,
  seeds: readonly number[] = [1],
): void {
  describe(`${name}, by hidden units:`, () => {
    let node: Node;
    let loseWorker: NodeUnderTest['loseWorker'];
    beforeAll(async () => {
      ({ node, loseWorker } = await create());
    });
    afterAll(() => node.close());

    describe.each([
      ['a classifier', MODEL],
      ['an autoencoder', AUTOENCODER],
    ])('%s', (_, model) => {
      let expected: TrainingState;
      beforeAll(async () => {
        expected = await trainSliced(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }), model);
      });

      it('trains to the same bits as one thread', async () => {
        expectState(await trainSliced(node, model), expected);
      });

      it('goes on after a step that nobody gave a gradient to, which changed nothing', async () => {
        const initial = initialOf(model);
        node.write(initial);
        await node.forward(slicedStep(9, 'fresh', model));
        const { parameters } = await node.read(layoutOf(model).length);
        expect(sameBits(parameters, initial.parameters!)).toBe(true);
        expectState(await trainSliced(node, model), expected);
      });

      it.each(seeds)('trains to the same bits when workers are lost at random moments (%i)', async (seed) => {
        expectState(await trainSliced(losing(node, loseWorker, seed), model), expected);
      });
    });
  });
}
