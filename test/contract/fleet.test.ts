// Fleets of many kinds fulfil the contract of a node.
import { describeBf16Node } from './bf16-node.contract.js';
import { CONTENT, type Content, describeNode } from './node.contract.js';
import { describeSlicingNode } from './slicing-node.contract.js';
import { atWork, type TestFleetOptions, testFleet } from './test-fleet.js';

/** isBf16: asked for the contract in bf16, too; the others have no other parts. */
const kinds: [name: string, options: TestFleetOptions, isBf16?: boolean][] = [
  ['a fleet of the local node', { local: 2, remotes: [] }],
  ['a fleet of the local node and another', { local: 1, remotes: [1] }, true],
  ['a fleet of the local node and three others', { local: 1, remotes: [1, 2, 1] }],
  ['a fleet of others only', { local: 1, remotes: [1, 1], computes: false }, true],
];

for (const [name, options, isBf16 = false] of kinds) {
  const create = async (content: Content) => {
    const { fleet, local, nodes } = await testFleet(content, options);
    return {
      node: fleet,
      settled: () => fleet.settled(),
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
  describeNode(name, create);
  describeSlicingNode(name, () => create(CONTENT));
  if (isBf16) describeBf16Node(name, create);
}
