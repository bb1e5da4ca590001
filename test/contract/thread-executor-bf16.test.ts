// A local node of one thread and of several fulfils the contract of nodes in bf16.
import { createThreadExecutor } from '../../worker/thread-executor.js';
import { describeBf16Executor } from './bf16-executor.contract.js';

for (const workspaces of [1, 3]) {
  describeBf16Executor(`a local node of ${workspaces}`, async (content) => {
    const node = await createThreadExecutor({ ...content, shape: { ...content.shape, workspaces } });
    return { node, loseWorker: (index) => node.loseThread(index) };
  });
}
