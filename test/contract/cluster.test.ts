// Tests that clusters of many kinds fulfil the contract of an executor.
import { CONTENT, type Content, describeExecutor } from './executor.contract.js';
import { describeTensorExecutor } from './tensor-executor.contract.js';
import { atWork, type TestClusterOptions, testCluster } from './test-cluster.js';

const kinds: [name: string, options: TestClusterOptions][] = [
  ['a cluster of the local node', { local: 2, remotes: [] }],
  ['a cluster of the local node and another', { local: 1, remotes: [1] }],
  ['a cluster of the local node and three others', { local: 1, remotes: [1, 2, 1] }],
  ['a cluster of others only', { local: 1, remotes: [1, 1], computes: false }],
];

for (const [name, options] of kinds) {
  const create = async (content: Content) => {
    const { cluster, local, nodes } = await testCluster(content, options);
    return {
      executor: cluster,
      settled: () => cluster.settled(),
      loseWorker: async (index: number) => {
        const all = [options.computes === false ? [] : [local], ...nodes.map(({ node }) => [node])].flat();
        const threads = (await Promise.all(all)).flatMap((node) =>
          Array.from({ length: node.workers }, (_, thread) => [node, thread] as const),
        );
        const [node, thread] = threads[index]!;
        // A request to another machine takes a moment to get there.
        if (node !== local) await atWork(node);
        await node.loseThread(thread);
      },
    };
  };
  describeExecutor(name, create);
  describeTensorExecutor(name, () => create(CONTENT));
}
