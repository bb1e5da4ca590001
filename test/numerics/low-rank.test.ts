// Low-rank compression with error feedback: against plain matrix products in double precision, and that nothing of any gradient is lost.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import { drawRight, orthonormal } from '../../src/engine/factors.js';
import { keyOf, Stream } from '../../src/random.js';
import { sameBits } from '../bits.js';
import {
  type Contributor,
  contributor,
  contributors,
  difference,
  Exchange,
  fill,
  gradientOf,
  LENGTH,
  lengthOf,
  MODEL,
  of,
  SHARDS,
} from './low-rank-exchange.js';

const anyRank = fc.integer({ min: 1, max: 8 });
const anyOwners = fc.array(fc.nat(2), { minLength: SHARDS, maxLength: SHARDS });

describe('factors of a rank', () => {
  it('bring a sum of no higher rank as it is', async () => {
    await fc.assert(
      fc.asyncProperty(anyRank, anyOwners, fc.nat(), async (rank, owners, seed) => {
        const exchange = new Exchange(contributors(3, rank), rank);
        const random = new Stream(keyOf(seed, 'split', 2));
        // The gradients of all shards are in the same columns, of which there are as many as factors have, or fewer.
        const whole = gradientOf(random, MODEL, 1 + (seed % rank));
        const sum = fill(exchange, owners, [whole, whole.map((value) => 2 * value), whole.map((value) => -value / 4)]);
        const total = await exchange.total(owners);
        expect(difference(total, sum) / lengthOf(sum)).toBeLessThan(1e-3);
      }),
      // Always the same: random factors can be as good as dependent.
      { seed: 1 },
    );
  });

  it('bring biases, and matrices that are no longer than they are, as the sums that they are', async () => {
    const rank = 3;
    const exchange = new Exchange(contributors(2, rank), rank);
    const { layers } = exchange.factoring;
    expect(layers.map((layer) => layer.rank)).toEqual([3, 3, 0]);
    const random = new Stream(keyOf(1, 'split', 2));
    for (let step = 0; step < 3; step++) {
      const sum = fill(exchange, [0, 1, 0], [gradientOf(random), gradientOf(random), gradientOf(random)]);
      const total = await exchange.total([0, 1, 0]);
      const parts = layers.map(({ bias, units }) => [bias, bias + units] as const);
      const { kernel, units, inputs } = layers[2]!;
      for (const [start, end] of [...parts, [kernel, kernel + units * inputs] as const]) {
        expect(difference(total.subarray(start, end), sum.subarray(start, end))).toBeLessThan(1e-5);
      }
      // Padding, which the optimizer reads, is 0.
      expect(total.subarray(layers[0]!.bias + 70, layers[1]!.kernel).every((value) => value === 0)).toBe(true);
    }
  });

  it('lose nothing: all totals and what is left of them are all gradients, whoever computed what', async () => {
    const steps = fc.array(anyOwners, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(anyRank, steps, fc.nat(), async (rank, placements, seed) => {
        const exchange = new Exchange(contributors(3, rank), rank);
        const random = new Stream(keyOf(seed, 'split', 3));
        const missing = new Float64Array(LENGTH);
        for (const owners of placements) {
          const sum = fill(exchange, owners, [gradientOf(random), gradientOf(random), gradientOf(random)]);
          const total = await exchange.total(owners);
          for (let i = 0; i < LENGTH; i++) missing[i]! += sum[i]! - total[i]!;
        }
        expect(difference(exchange.residual(), missing) / lengthOf(missing)).toBeLessThan(1e-5);
      }),
    );
  });

  it('bring a gradient that stays the same in the mean', async () => {
    const rank = 2;
    const exchange = new Exchange(contributors(2, rank), rank);
    const random = new Stream(keyOf(1, 'split', 4));
    const gradients = [gradientOf(random, MODEL, 8), gradientOf(random), gradientOf(random)];
    const mean = new Float64Array(LENGTH);
    const steps = 200;
    for (let step = 0; step < steps; step++) {
      fill(exchange, [0, 1, 1], gradients);
      for (const [i, value] of (await exchange.total([0, 1, 1])).entries()) mean[i]! += value / steps;
    }
    const sum = fill(exchange, [0, 1, 1], gradients);
    expect(difference(mean, sum) / lengthOf(sum)).toBeLessThan(0.1);
  });

  it('have the same bits for any number of workers', async () => {
    const rank = 4;
    const totals = await Promise.all(
      [1, 2, 3, 7].map(async (workers) => {
        const exchange = new Exchange([contributor(rank, MODEL, workers), contributor(rank, MODEL, workers)], rank);
        const random = new Stream(keyOf(1, 'split', 5));
        let total = new Float32Array();
        for (let step = 0; step < 4; step++) {
          fill(exchange, [0, 1, 0], [gradientOf(random), gradientOf(random), gradientOf(random)]);
          total = (await exchange.total([0, 1, 0])) as typeof total;
        }
        return total;
      }),
    );
    for (const total of totals) expect(sameBits(total, totals[0]!)).toBe(true);
  });

  it('are the plain products, and what they leave is orthogonal to the left ones', async () => {
    const rank = 2;
    const model = of(29, 35);
    const one = contributor(rank, model);
    const exchange = new Exchange([one], rank, model);
    const gradient = gradientOf(new Stream(keyOf(1, 'split', 6)), model);
    fill(exchange, [0], [gradient]);
    one.slot(0).set(gradient);
    const { arena } = one.engine;
    const { right, left } = exchange.factoring;
    floats(arena, 'right', right).fill(0);
    drawRight(exchange.factoring, floats(arena, 'right', right), { seed: 3, stage: 0, step: 0 });
    const q = floats(arena, 'right', right).slice();
    const step = { model, rank, step: 0, shards: [0], goesOn: false };
    const p = (await one.factors.factor('left', step)).slice();
    const product = (j: number, u: number) =>
      q.subarray(j * 29, (j + 1) * 29).reduce((sum, value, c) => sum + value * gradient[u * 29 + c]!, 0);
    for (let j = 0; j < rank; j++) for (let u = 0; u < 35; u++) expect(p[j * 35 + u]).toBeCloseTo(product(j, u), 4);
    const unit = orthonormal(exchange.factoring, Float64Array.from(p));
    floats(arena, 'left', left).set(unit);
    const back = (await one.factors.factor('right', step)).slice();
    await one.factors.counted();
    const error = one.residual();
    for (let j = 0; j < rank; j++) {
      const column = unit.subarray(j * 35, (j + 1) * 35);
      for (let c = 0; c < 29; c++) {
        const along = (of: Float32Array) => column.reduce((sum, value, u) => sum + value * of[u * 29 + c]!, 0);
        expect(back[j * 29 + c]).toBeCloseTo(along(gradient), 4);
        expect(along(error)).toBeCloseTo(0, 4);
      }
    }
  });
});

describe('a step that does not come to its end', () => {
  it('leaves what was left of the last one, and its parts may grow', async () => {
    const rank = 2;
    const [disturbed, quiet] = [new Exchange([contributor(rank)], rank), new Exchange([contributor(rank)], rank)];
    const random = new Stream(keyOf(1, 'split', 7));
    const gradients = Array.from({ length: 3 }, () => [gradientOf(random), gradientOf(random), gradientOf(random)]);
    const totals: Float32Array[][] = [[], []];
    for (const [s, shards] of gradients.entries()) {
      for (const [e, exchange] of [disturbed, quiet].entries()) {
        fill(exchange, [0, 0, 0], shards);
        const [{ factors }] = exchange.contributors as [Contributor];
        // Others are lost: first factors of two shards, then of all three.
        const step = { model: MODEL, rank, step: s, shards: [0, 2], goesOn: s > 0 };
        if (e === 0) for (const side of ['left', 'right', 'right'] as const) await factors.factor(side, step);
        totals[e]!.push(await exchange.total([0, 0, 0]));
      }
    }
    totals[0]!.forEach((total, s) => {
      expect(sameBits(total, totals[1]![s]!)).toBe(true);
    });
  });
});
