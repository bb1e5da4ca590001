// A local node of one thread and of several fulfils the contract of nodes in bf16.
import { createLocalNode } from '../../worker/node.js';
import { describeBf16Node } from './bf16-node.contract.js';

for (const lanes of [1, 3]) {
  describeBf16Node(`a local node of ${lanes}`, async (content) => {
    const node = await createLocalNode({ ...content, shape: { ...content.shape, lanes } });
    return { node, loseWorker: (index) => node.loseThread(index) };
  });
}
