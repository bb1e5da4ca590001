// Owns what the coordinator and its nodes do with low-rank factors (coordinator/fleet/low-rank.ts), without a network, and gradients for it.
import { expect } from 'vitest';
import { type Arena, createArena, floats, slotStride } from '../../src/engine/arena.js';
import { createEngine, type Engine } from '../../src/engine/engine.js';
import { drawRight, type Factoring, factoringOf, orthonormal, type Side } from '../../src/engine/factors.js';
import { expandTotal, lowRank } from '../../src/engine/low-rank.js';
import { layoutOf, type Model, modelOf } from '../../src/engine/model.js';
import type { Stream } from '../../src/random.js';
import { Factors } from '../../worker/factors.js';
import { sameBits } from '../bits.js';

export const SHARDS = 3;
export const of = (...widths: number[]): Model =>
  modelOf(widths, { inputDropout: 0, dropout: [], objective: 'softmax' });
/** Rows of a length that no vector of four floats divides, blocks of units that are not whole, and a matrix that travels as it is. */
export const MODEL = of(37, 70, 41, 3);
export const { length: LENGTH } = layoutOf(MODEL);

/** Who computes some shards, with so many workers. */
export interface Contributor {
  readonly engine: Engine;
  readonly factors: Factors;
  slot(shard: number): Float32Array;
  /** What low rank has left of all sums so far. */
  residual(): Float32Array;
}

export function contributor(rank: number, model = MODEL, workers = 1): Contributor {
  const { left, right } = factoringOf(model, rank);
  const { length } = layoutOf(model);
  const none = { pixels: 16, unlabelled: 1, evaluation: 0, lanes: workers, laneBytes: 64 };
  const arena = createArena({ ...none, parameters: length, shards: SHARDS, factors: Math.max(left, right) });
  const engine = createEngine(arena);
  const factors = new Factors(arena, workers, async (task) => lowRank(engine, task));
  let counted = 0;
  const counts = factors.counted.bind(factors);
  factors.counted = () => {
    counted++;
    return counts();
  };
  return {
    engine,
    factors,
    slot: (shard) =>
      new Float32Array(arena.memory.buffer, arena.regions.slots + shard * slotStride(arena.shape), length),
    residual: () => floats(arena, counted % 2 === 0 ? 'residual' : 'spare', length).slice(),
  };
}

const made = new Map<string, Contributor>();

/** So many of them, made once: an exchange begins anew with them. */
export function contributors(count: number, rank: number): Contributor[] {
  return Array.from({ length: count }, (_, i) => {
    const key = `${rank} ${i}`;
    if (!made.has(key)) made.set(key, contributor(rank));
    return made.get(key)!;
  });
}

/** What the coordinator does (coordinator/fleet/low-rank.ts), without a network. Shard s is contributor owners[s]'s. */
export class Exchange {
  private step = 0;
  readonly factoring: Factoring;
  /** Those who have contributed. */
  private readonly begun = new Set<number>();

  constructor(
    readonly contributors: readonly Contributor[],
    private readonly rank: number,
    private readonly model = MODEL,
  ) {
    this.factoring = factoringOf(model, rank);
    this.give('right', new Float32Array(this.factoring.right));
  }

  /** What low rank has left of all sums so far. */
  residual(): Float64Array {
    const sum = new Float64Array(layoutOf(this.model).length);
    for (const i of this.begun) {
      for (const [at, value] of this.contributors[i]!.residual().entries()) sum[at]! += value;
    }
    return sum;
  }

  /** The total by which all update, of the gradients in their slots. */
  async total(owners: readonly number[]): Promise<Float32Array> {
    const right = this.vector(this.contributors[0]!.engine.arena, 'right').slice();
    drawRight(this.factoring, right, { seed: 1, stage: 0, step: this.step });
    this.give('right', right);
    this.give('left', orthonormal(this.factoring, await this.sum('left', owners)));
    this.give('right', Float32Array.from(await this.sum('right', owners)));
    for (const owner of new Set(owners)) {
      await this.contributors[owner]!.factors.counted();
      this.begun.add(owner);
    }
    this.step++;
    const totals = this.contributors.map(({ engine: { kernel, arena } }, i) => {
      const { length } = layoutOf(this.model);
      const cut = ((i + 1) * 1000) % length;
      expandTotal(kernel, arena, { model: this.model, rank: this.rank }, cut, length);
      expandTotal(kernel, arena, { model: this.model, rank: this.rank }, 0, cut);
      return floats(arena, 'total', length).slice();
    });
    for (const total of totals) expect(sameBits(total, totals[0]!)).toBe(true);
    return totals[0]!;
  }

  private async sum(side: Side, owners: readonly number[]): Promise<Float64Array> {
    const sum = new Float64Array(this.factoring[side]);
    for (const [i, { factors }] of this.contributors.entries()) {
      const shards = owners.flatMap((owner, shard) => (owner === i ? [shard] : []));
      if (shards.length === 0) continue;
      const step = { model: this.model, rank: this.rank, step: this.step, shards, goesOn: this.begun.has(i) };
      for (const [at, value] of (await factors.factor(side, step)).entries()) sum[at]! += value;
    }
    return sum;
  }

  private give(side: Side, values: Float32Array): void {
    for (const { engine } of this.contributors) this.vector(engine.arena, side).set(values);
  }

  private vector(arena: Arena, side: Side): Float32Array {
    return floats(arena, side, this.factoring[side]);
  }
}

/** A gradient of normal numbers, 0 between the parts of the vector; of a rank: each matrix a product of so many columns. */
export function gradientOf(random: Stream, model = MODEL, rank?: number): Float32Array {
  const { places, length } = layoutOf(model);
  const gradient = new Float32Array(length);
  model.layers.forEach(({ inputs, units }, l) => {
    const { kernel, bias } = places[l]!;
    const normals = (n: number) => Float64Array.from({ length: n }, () => random.normal());
    if (rank === undefined) gradient.set(normals(units * inputs), kernel);
    else {
      const [p, q] = [normals(units * rank), normals(inputs * rank)];
      for (let i = 0; i < units * inputs; i++) {
        const [u, c] = [Math.floor(i / inputs), i % inputs];
        for (let j = 0; j < rank; j++) gradient[kernel + i]! += p[u * rank + j]! * q[c * rank + j]!;
      }
    }
    gradient.set(normals(units), bias);
  });
  return gradient;
}

export const lengthOf = (vector: ArrayLike<number>): number => Math.hypot(...Array.from(vector));
export const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  lengthOf(Array.from(a, (value, i) => value - b[i]!));

/** The gradients of all shards, into the slots of those who own them; others have something else there. Returns their sum. */
export function fill(
  { contributors }: Exchange,
  owners: readonly number[],
  gradients: readonly Float32Array[],
): Float64Array {
  for (const { slot } of contributors) for (let shard = 0; shard < SHARDS; shard++) slot(shard).fill(1e9);
  owners.forEach((owner, shard) => {
    contributors[owner]!.slot(shard).set(gradients[shard]!);
  });
  const sum = new Float64Array(gradients[0]!.length);
  for (const gradient of gradients) for (const [i, value] of gradient.entries()) sum[i]! += value;
  return sum;
}
