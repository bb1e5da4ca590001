// A fleet by hidden units: steps that are lost are done again by those who are left, and what travels is small.
import { describe, expect, it } from 'vitest';
import { sameBits } from '../bits.js';
import { exactBySlices } from './exact-runs.js';
import { type AnyParcel, at, onWay } from './faults.js';
import { CONTENT, expectState } from './node.contract.js';
import { FRESH, INITIAL, LENGTH, MODEL, RANGES, SHAPE, shardSteps, slicedStep } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { A_LONG_TIME, ENDLESS, type TestFleet, type TestNode, testFleet } from './test-fleet.js';

describe('a fleet by hidden units', () => {
  async function withFleet(options: Parameters<typeof testFleet>[1], test: (fleet: TestFleet) => Promise<void>) {
    const fleet = await testFleet(CONTENT, options);
    try {
      await test(fleet);
    } finally {
      await fleet.fleet.close();
    }
  }

  it('does all steps again that were not fetched, and again where the next one is lost in it', async () => {
    await withFleet({ local: 1, remotes: [1, 1], computes: false, mirrorEvery: 100 }, async (made) => {
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
      await exactBySlices(made);
      await Promise.all([lost, lostAgain]);
      expect(steps).toEqual([5]);
    });
  });

  it('goes on with others from what it has when all nodes are lost, and waits for one', async () => {
    await withFleet({ local: 1, remotes: [2], computes: false, mirrorEvery: 3 }, async (made) => {
      const [first] = made.nodes as [TestNode];
      void at(first.link, onWay('node', 'forward', 6), () => {
        first.link.cut();
        return [];
      });
      void first.ended.then(() => made.join(1, { name: 'second' }));
      await exactBySlices(made);
      expect(made.log).toEqual(['+node', '-node E_CLOSED', 'waiting', '+second']);
    });
  });

  it('says, once a stage, that its node makes it slower, where logits are long on their way', async () => {
    await withFleet({ local: 1, remotes: [1], bounds: ENDLESS }, async ({ fleet, clock, nodes, log }) => {
      const [{ link }] = nodes as [TestNode];
      const steps = async (stage: number, count: number) => {
        for (let t = 1; t <= count; t++) {
          const { logits } = await fleet.forward({ ...slicedStep(t, 'fresh'), stage });
          await fleet.backward(logits.fill(1e-6));
        }
      };
      fleet.write(INITIAL);
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
    const mixed = async (node: TestFleet['fleet'] | ReturnType<typeof oneThreadNode>) => {
      node.write({
        ...INITIAL,
        pseudoLabels: new Uint8Array(SHAPE.unlabelled),
        confidences: new Float32Array(SHAPE.unlabelled),
      });
      for (let t = 1; t <= 4; t++) {
        const { logits } = await node.forward(slicedStep(t, 'fresh'));
        await node.backward(logits.map((logit) => logit / 1e3));
        if (t === 2) await node.predict(MODEL, 'unlabelled', RANGES);
        if (t === 3) {
          await node.gradients(shardSteps(t, FRESH));
          await node.update(MODEL, SHAPE.shards, { kind: 'momentum', a: 0.9, b: 0.01, c: 1 });
        }
      }
      return node.read(LENGTH);
    };
    const expected = await mixed(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }));
    await withFleet({ local: 1, remotes: [1, 1] }, async ({ fleet }) => expectState(await mixed(fleet), expected));
  });

  it('moves less than a hundredth of what data-parallel steps move', async () => {
    await withFleet({ local: 1, remotes: [1] }, async ({ fleet, nodes }) => {
      fleet.write(INITIAL);
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
        const { logits } = await fleet.forward(slicedStep(t, 'fresh'));
        await fleet.backward(logits.map(() => 0));
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
    await withFleet({ local: 1, remotes: [1] }, async ({ fleet }) => {
      fleet.write(INITIAL);
      const { logits } = await fleet.forward(slicedStep(1, 'fresh'));
      await fleet.backward(logits.map(() => 0));
      expect(() => fleet.write({ parameters: INITIAL.parameters! })).toThrow('elsewhere');
      const { parameters } = await fleet.read(LENGTH);
      expect(sameBits(parameters, INITIAL.parameters!)).toBe(true);
      fleet.write({ parameters });
    });
  });
});
