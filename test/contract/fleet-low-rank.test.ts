// A fleet whose gradients travel as low-rank factors: all members have the same parameters after each update, for kilobytes, and the same
// placement has the same bits.
import { describe, expect, it } from 'vitest';
import type { Fleet } from '../../coordinator/fleet/fleet.js';
import { floats } from '../../src/engine/arena.js';
import { factoringOf } from '../../src/engine/factors.js';
import { initialParameters, layoutOf, type Model, modelOf } from '../../src/engine/model.js';
import { BULK_KINDS } from '../../src/protocol/messages.js';
import { sameBits } from '../bits.js';
import type { AnyParcel } from './faults.js';
import { contentFor, descend, distance, FACTORED, LOW_RANK, RANK } from './low-rank-fleet.js';
import { CONTENT } from './node.contract.js';
import { ADAM, FRESH, INITIAL, LENGTH, MODEL, SHAPE, SHARDS, shardSteps, trainMixed } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import { testFleet } from './test-fleet.js';

type Bulk = Extract<AnyParcel, { tag: unknown }>;

describe('a fleet on a wire of low-rank factors', () => {
  it('has the same parameters everywhere, for kilobytes', async () => {
    const { fleet, nodes } = await testFleet(FACTORED, { local: 1, remotes: [1, 2], ...LOW_RANK });
    try {
      const { left, right } = factoringOf(MODEL, RANK);
      const bytes = { left: 0, right: 0, sum: 0, total: 0 };
      for (const { link } of nodes) {
        link.toNode = (parcel) => {
          const kind = 'tag' in parcel ? BULK_KINDS[parcel.tag.kind]! : '';
          if (kind in bytes) bytes[kind as 'left'] += (parcel as Bulk).payload.length;
          return [parcel];
        };
      }
      const { parameters } = await trainMixed(fleet);
      for (const node of nodes) {
        const theirs = floats((await node.node).arena, 'parameters', LENGTH);
        expect(sameBits(theirs, parameters)).toBe(true);
      }
      const exact = await trainMixed(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }));
      expect(sameBits(parameters, exact.parameters)).toBe(false);
      expect(distance(parameters, INITIAL.parameters!)).toBeGreaterThan(0);
      // To two nodes in six steps, and once the right factors that are drawn at the beginning.
      expect(bytes).toEqual({ left: 2 * 6 * left * 4, right: 2 * 7 * right * 4, sum: 0, total: 0 });
      expect(left + right).toBeLessThan(LENGTH / 50);
    } finally {
      await fleet.close();
    }
  });

  it('has the same bits again where the same members have the same shards', async () => {
    const found = [];
    for (let time = 0; time < 2; time++) {
      const { fleet } = await testFleet(FACTORED, { local: 2, remotes: [1, 1], ...LOW_RANK });
      fleet.write(INITIAL);
      found.push(await descend(fleet, 3));
      await fleet.close();
    }
    expect(sameBits(found[0]!, found[1]!)).toBe(true);
  });

  it('trains a deep autoencoder, also with a coordinator that does not compute', async () => {
    const model = modelOf([400, 120, 24, 120, 400], { inputDropout: 0, dropout: [], objective: 'reconstruction' });
    const content = contentFor(model);
    const { fleet, nodes } = await testFleet(content, { computes: false, local: 1, remotes: [1, 1], ...LOW_RANK });
    try {
      const rows = { ...FRESH, pseudoLabels: 'stored', logitShift: undefined, threshold: 0, noise: 0.1 } as const;
      const { parameters } = await trainReconstruction(fleet, model, rows);
      for (const node of nodes) {
        const theirs = floats((await node.node).arena, 'parameters', layoutOf(model).length);
        expect(sameBits(theirs, parameters)).toBe(true);
      }
    } finally {
      await fleet.close();
    }
  });
});

async function trainReconstruction(fleet: Fleet, model: Model, rows: typeof FRESH) {
  const { length } = layoutOf(model);
  fleet.write({
    parameters: initialParameters(model, 1, 0),
    firstMoment: new Float32Array(length),
    secondMoment: new Float32Array(length),
  });
  for (let t = 1; t <= 4; t++) {
    const steps = shardSteps(t, rows, model).map((step) => ({ ...step, labelled: undefined, labelledBatch: 0 }));
    await fleet.gradients(steps);
    await fleet.update(model, SHARDS, ADAM(t));
  }
  return fleet.read(length);
}
