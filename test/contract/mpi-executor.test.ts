// Tests that the ranks of a job fulfil the contract of an executor.
import { CONTENT, type Content, describeExecutor } from './executor.contract.js';
import { jobOf, of } from './mpi-job.js';
import { describeTensorExecutor } from './tensor-executor.contract.js';
import { atWork } from './test-cluster.js';

for (const workers of [
  [1, 1],
  [1, 2, 1],
] as [number, ...number[]][]) {
  const name = `a job of ranks with ${workers.join(', ')} workers`;
  const create = async (content: Content) => {
    const { ranks, nodes, end } = await jobOf(content, of(...workers));
    return {
      // The contract closes the executor, and nothing would end the other ranks.
      executor: new Proxy(ranks, {
        get: (target, name) => {
          if (name === 'close') return end;
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
      loseWorker: async (index: number) => {
        const threads = nodes.flatMap((node) => Array.from({ length: node.workers }, (_, t) => [node, t] as const));
        const [node, thread] = threads[index]!;
        if (node !== nodes[0]) await atWork(node);
        await node.loseThread(thread);
      },
    };
  };
  describeExecutor(name, create);
  describeTensorExecutor(name, () => create(CONTENT));
}
