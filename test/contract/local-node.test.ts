// The local node, with one to three threads: the contract, and what only threads can do.
import { describeNode } from './node.contract.js';
import { createLocalNode } from '../../worker/node.js';

for (const workers of [1, 2, 3]) {
  describeNode(`a local node with ${workers} threads`, async ({ shape, ...images }) => {
    const node = await createLocalNode({ shape: { ...shape, lanes: workers }, ...images });
    return { node, loseWorker: (index) => node.loseThread(index) };
  });
}
