// Owns fleets whose gradients travel as low-rank factors, and the training of them by plain descent, which tells what their totals were.
import type { Fleet } from '../../coordinator/fleet/fleet.js';
import { factoringOf } from '../../src/engine/factors.js';
import type { Model } from '../../src/engine/model.js';
import type { OptimizerStep } from '../../src/protocol/tasks.js';
import { CONTENT, type Content } from './node.contract.js';
import { FRESH, LENGTH, MODEL, SHARDS, shapeOf, shardSteps } from './node-work.js';
import { PATIENT } from './victim.js';

export const RANK = 2;
/** Parameters are compared after every update: members that differ end the run with E_DRIFT. */
export const LOW_RANK = { wire: `powersgd:${RANK}`, checksumEvery: 1, bounds: PATIENT } as const;

export const contentFor = (model: Model): Content => {
  const { left, right } = factoringOf(model, RANK);
  return { ...CONTENT, shape: { ...shapeOf(model), factors: Math.max(left, right) } };
};
export const FACTORED = contentFor(MODEL);

/** p = p - 0.01 g: the parameters tell the sum of all totals. */
export const DESCENT: OptimizerStep = { kind: 'momentum', a: 0, b: 1, c: 0.01 };
const STEPS = 8;

/** Steps of shards that all have the same rows again and again, by plain descent. */
export async function descend(fleet: Fleet, steps = STEPS): Promise<Float32Array> {
  for (let t = 1; t <= steps; t++) {
    await fleet.gradients(shardSteps(t, FRESH));
    await fleet.update(MODEL, SHARDS, DESCENT);
  }
  return (await fleet.read(LENGTH)).parameters;
}

/** Of the first of their elements. */
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => lengthOf(a, (i) => a[i]! - b[i]!);

export const lengthOf = (a: ArrayLike<number>, of = (i: number) => a[i]!): number =>
  Math.hypot(...Array.from({ length: Math.min(a.length, 100_000) }, (_, i) => of(i)));
