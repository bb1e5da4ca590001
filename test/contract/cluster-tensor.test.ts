// Tests tensor-parallel steps on a cluster: the remaining machines repeat steps that are lost, and few bytes are sent.
import { describe, expect, it } from 'vitest';
import { sameBits } from '../bits.js';
import { exactByTensorShards } from './exact-runs.js';
import { CONTENT, expectState } from './executor.contract.js';
import { FRESH, INITIAL, LENGTH, MODEL, RANGES, SHAPE, shardSteps, tensorStep } from './executor-work.js';
import { type AnyParcel, at, onWay } from './faults.js';
import { oneThreadExecutor } from './one-thread-executor.js';
import { A_LONG_TIME, ENDLESS, type TestCluster, type TestNode, testCluster } from './test-cluster.js';

describe('a cluster tensor parallel', () => {
  async function withCluster(
    options: Parameters<typeof testCluster>[1],
    test: (cluster: TestCluster) => Promise<void>,
  ) {
    const cluster = await testCluster(CONTENT, options);
    try {
      await test(cluster);
    } finally {
      await cluster.cluster.close();
    }
  }

  it('does all steps again that were not fetched, and again where the next one is lost in it', async () => {
    await withCluster({ local: 1, remotes: [1, 1], computes: false, fetchEvery: 100 }, async (made) => {
      const [first, second] = made.nodes as [TestNode, TestNode];
      const lost = at(first.link, onWay('node', 'backward', 5), () => {
        first.link.cut();
        return [];
      });
      const steps: number[] = [];
      const lostAgain = at(
        second.link,
        onWay('node', 'replay', 1),
        ({ message }: { message: { steps: unknown[] } } & AnyParcel) => {
          steps.push(message.steps.length);
          void made.join(1, { name: 'third' });
          second.link.cut();
          return [];
        },
      );
      await exactByTensorShards(made);
      await Promise.all([lost, lostAgain]);
      expect(steps).toEqual([5]);
    });
  });

  it('goes on with others from what it has when all nodes are lost, and waits for one', async () => {
    await withCluster({ local: 1, remotes: [2], computes: false, fetchEvery: 3 }, async (made) => {
      const [first] = made.nodes as [TestNode];
      void at(first.link, onWay('node', 'forward', 6), () => {
        first.link.cut();
        return [];
      });
      void first.ended.then(() => made.join(1, { name: 'second' }));
      await exactByTensorShards(made);
      expect(made.log).toEqual(['+node', '-node E_CLOSED', 'waiting', '+second']);
    });
  });

  it('says, once a stage, that its node makes it slower, where logits are long on their way', async () => {
    await withCluster({ local: 1, remotes: [1], bounds: ENDLESS }, async ({ cluster, clock, nodes, log }) => {
      const [{ link }] = nodes as [TestNode];
      const steps = async (stage: number, count: number) => {
        for (let t = 1; t <= count; t++) {
          const { logits, backward } = await cluster.forward({ ...tensorStep(t, 'fresh'), stage });
          await backward(logits.fill(1e-6));
        }
      };
      cluster.write(INITIAL);
      await steps(0, 2);
      await steps(0, 4);
      link.toNode = (parcel) => {
        if ('message' in parcel && parcel.message.kind === 'forward') clock.advance(A_LONG_TIME);
        return [parcel];
      };
      await steps(1, 22);
      expect(log).toEqual([
        '+node',
        expect.stringMatching(
          /^1 node makes this run slower .* of 100 rows .* use a link with less delay, or fewer nodes$/,
        ),
      ]);
    });
  });

  it('changes to shards and back without a bit of difference', async () => {
    const mixed = async (node: TestCluster['cluster'] | ReturnType<typeof oneThreadExecutor>) => {
      node.write({
        ...INITIAL,
        pseudoLabels: new Uint16Array(SHAPE.unlabelled),
        confidences: new Float32Array(SHAPE.unlabelled),
      });
      for (let t = 1; t <= 4; t++) {
        const { logits, backward } = await node.forward(tensorStep(t, 'fresh'));
        await backward(logits.map((logit) => logit / 1e3));
        if (t === 2) await node.predict(MODEL, 'unlabelled', RANGES);
        if (t === 3) {
          const { update } = await node.gradients(shardSteps(t, FRESH));
          await update({ kind: 'momentum', a: 0.9, b: 0.01, c: 1 });
        }
      }
      return node.read(LENGTH);
    };
    const expected = await mixed(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }));
    await withCluster({ local: 1, remotes: [1, 1] }, async ({ cluster }) =>
      expectState(await mixed(cluster), expected),
    );
  });

  it('moves less than a hundredth of what data-parallel steps move', async () => {
    await withCluster({ local: 1, remotes: [1] }, async ({ cluster, nodes }) => {
      cluster.write(INITIAL);
      let bytes = 0;
      const count = (parcel: AnyParcel) => {
        const ofMessage = (value: unknown): number => {
          if (value instanceof Uint8Array) return value.length;
          if (typeof value === 'object' && value !== null)
            return Object.values(value).reduce((sum, each) => sum + ofMessage(each), 0);
          return 8;
        };
        bytes += 'message' in parcel ? ofMessage(parcel.message) : parcel.payload.length;
      };
      const step = async (t: number) => {
        const { logits, backward } = await cluster.forward(tensorStep(t, 'fresh'));
        await backward(logits.map(() => 0));
      };
      await step(1);
      nodes[0]!.link.toNode = (parcel) => {
        count(parcel);
        return [parcel];
      };
      nodes[0]!.link.toCoordinator = (parcel) => {
        count(parcel);
        return [parcel];
      };
      await step(2);
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThan((2 * LENGTH * 4) / 100);
    });
  });

  it('refuses to lose a part of a state that is elsewhere', async () => {
    await withCluster({ local: 1, remotes: [1] }, async ({ cluster }) => {
      cluster.write(INITIAL);
      const { logits, backward } = await cluster.forward(tensorStep(1, 'fresh'));
      await backward(logits.map(() => 0));
      expect(() => cluster.write({ parameters: INITIAL.parameters! })).toThrow('elsewhere');
      const { parameters } = await cluster.read(LENGTH);
      expect(sameBits(parameters, INITIAL.parameters!)).toBe(true);
      cluster.write({ parameters });
    });
  });
});
