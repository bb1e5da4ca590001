// Fleets of many kinds fulfil the contract of a node.
import { describeBf16Executor } from './bf16-executor.contract.js';
import { CONTENT, type Content, describeExecutor } from './executor.contract.js';
import { describeTensorExecutor } from './tensor-executor.contract.js';
import { atWork, type TestClusterOptions, testCluster } from './test-cluster.js';

/** isBf16: asked for the contract in bf16, too; the others have no other parts. */
const kinds: [name: string, options: TestClusterOptions, isBf16?: boolean][] = [
  ['a cluster of the local node', { local: 2, remotes: [] }],
  ['a cluster of the local node and another', { local: 1, remotes: [1] }, true],
  ['a cluster of the local node and three others', { local: 1, remotes: [1, 2, 1] }],
  ['a cluster of others only', { local: 1, remotes: [1, 1], computes: false }, true],
];

for (const [name, options, isBf16 = false] of kinds) {
  const create = async (content: Content) => {
    const { cluster, local, nodes } = await testCluster(content, options);
    return {
      node: cluster,
      settled: () => cluster.settled(),
      loseWorker: async (index: number) => {
        const all = [options.computes === false ? [] : [local], ...nodes.map(({ node }) => [node])].flat();
        const threads = (await Promise.all(all)).flatMap((node) =>
          Array.from({ length: node.workers }, (_, thread) => [node, thread] as const),
        );
        const [node, thread] = threads[index]!;
        // What another machine is asked takes a moment to get there.
        if (node !== local) await atWork(node);
        await node.loseThread(thread);
      },
    };
  };
  describeExecutor(name, create);
  describeTensorExecutor(name, () => create(CONTENT));
  if (isBf16) describeBf16Executor(name, create);
}
