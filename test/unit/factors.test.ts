// Low-rank factors of a gradient: where they lie, how long they are, and columns that are orthonormal or 0.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawRight, factoringOf, orthonormal } from '../../src/engine/factors.js';
import { layoutOf, type Model, modelOf } from '../../src/engine/model.js';
import { keyOf, Stream } from '../../src/random.js';

const of = (...widths: number[]): Model => modelOf(widths, { inputDropout: 0, dropout: [], objective: 'softmax' });

const KEY = { seed: 1, stage: 0, step: 0 };
const anyModel = fc
  .array(fc.integer({ min: 1, max: 70 }), { minLength: 2, maxLength: 5 })
  .map((widths) => of(...widths));
const anyRank = fc.integer({ min: 1, max: 8 });

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe('the factors of a model', () => {
  it('lie behind each other, in 106 kB of rank 2 where the gradient is 15.9 MB', () => {
    const model = of(784, 5000, 10);
    const { left, right } = factoringOf(model, 2);
    expect(4 * layoutOf(model).length).toBeGreaterThan(15.8e6);
    expect(4 * (left + right)).toBeGreaterThan(2 * (5000 + 784 + 10 + 5000) * 4 + 5010 * 4 - 1);
    expect(4 * (left + right)).toBeLessThan(107e3);
  });

  it('do not overlap, and are shorter than what they stand for', () => {
    fc.assert(
      fc.property(anyModel, anyRank, (model, rank) => {
        const { layers, left, right } = factoringOf(model, rank);
        const lefts = layers.map((layer) => [layer.left, layer.left + layer.rank * layer.units]);
        const rights = layers.flatMap(({ inputs, units, ...layer }) => {
          const matrix = layer.rank > 0 ? layer.rank * inputs : units * inputs;
          return [
            [layer.right, layer.right + matrix],
            [layer.rightBias, layer.rightBias + units],
          ];
        });
        for (const [pieces, length] of [
          [lefts, left],
          [rights, right],
        ] as const) {
          pieces.forEach(([start, end], i) => {
            expect(start).toBeGreaterThanOrEqual(pieces[i - 1]?.[1] ?? 0);
            expect(end).toBeLessThanOrEqual(length);
          });
        }
        for (const { rank: found, units, inputs } of layers) {
          expect(found === 0 || found * (units + inputs) < units * inputs).toBe(true);
        }
      }),
    );
  });
});

describe('left factors', () => {
  const model = of(40, 50, 30);

  it('have orthonormal columns that span what they were made of', () => {
    fc.assert(
      fc.property(anyRank, fc.nat(), (rank, seed) => {
        const factoring = factoringOf(model, rank);
        const random = new Stream(keyOf(seed, 'split', 1));
        const sums = Float64Array.from({ length: factoring.left }, () => Math.fround(random.normal()));
        const found = orthonormal(factoring, sums.slice());
        for (const { units, left } of factoring.layers.filter((layer) => layer.rank > 0)) {
          const column = (j: number, of: Float32Array) => of.subarray(left + j * units, left + (j + 1) * units);
          for (let a = 0; a < rank; a++) {
            for (let b = 0; b < rank; b++) {
              expect(dot(column(a, found), column(b, found))).toBeCloseTo(a === b ? 1 : 0, 5);
            }
            const before = column(a, Float32Array.from(sums));
            const within = Array.from({ length: rank }, (_, j) => dot(column(j, found), before) ** 2);
            expect(within.reduce((sum, square) => sum + square, 0) / dot(before, before)).toBeCloseTo(1, 5);
          }
        }
      }),
    );
  });

  it('have a column of 0 where it would be one of rounding errors', () => {
    const factoring = factoringOf(model, 3);
    const { left, units } = factoring.layers[0]!;
    const random = new Stream(keyOf(1, 'split', 1));
    const sums = new Float64Array(factoring.left);
    for (let i = 0; i < units; i++) {
      sums[left + i] = Math.fround(random.normal());
      sums[left + units + i] = Math.fround(3 * sums[left + i]!);
      sums[left + 2 * units + i] = Math.fround(random.normal());
    }
    const found = orthonormal(factoring, sums);
    const lengths = [0, 1, 2].map((j) => {
      const column = found.subarray(left + j * units, left + (j + 1) * units);
      return dot(column, column);
    });
    expect(lengths[0]).toBeCloseTo(1, 5);
    expect(lengths[1]).toBe(0);
    expect(lengths[2]).toBeCloseTo(1, 5);
    expect(found.every(Number.isFinite)).toBe(true);
  });
});

describe('right factors', () => {
  const factoring = factoringOf(of(40, 50, 30), 2);
  const [first, second] = factoring.layers as [(typeof factoring.layers)[0], (typeof factoring.layers)[0]];

  it('are drawn from the seed, standard normal numbers, the same each time', () => {
    const drawn = [KEY, KEY, { ...KEY, seed: 2 }, { ...KEY, step: 1 }].map((key) => {
      const right = new Float32Array(factoring.right);
      expect(drawRight(factoring, right, key)).toBe(true);
      return right;
    });
    expect(drawn[1]).toEqual(drawn[0]);
    expect(drawn[2]).not.toEqual(drawn[0]);
    expect(drawn[3]).not.toEqual(drawn[0]);
    const column = drawn[0]!.subarray(first.right, first.right + 40);
    expect(dot(column, column) / 40).toBeGreaterThan(0.3);
    expect(dot(column, column) / 40).toBeLessThan(3);
    expect(drawn[0]!.subarray(first.rightBias, first.rightBias + 50).every((value) => value === 0)).toBe(true);
  });

  it('stay as they are, but for columns that are 0', () => {
    const right = new Float32Array(factoring.right);
    drawRight(factoring, right, KEY);
    const before = right.slice();
    expect(drawRight(factoring, right, { ...KEY, step: 9 })).toBe(false);
    expect(right).toEqual(before);
    const dead = [second.right + second.inputs, second.right + 2 * second.inputs] as const;
    right.fill(0, ...dead);
    expect(drawRight(factoring, right, { ...KEY, step: 9 })).toBe(true);
    expect(right.subarray(0, dead[0])).toEqual(before.subarray(0, dead[0]));
    expect(right.subarray(...dead).some((value) => value !== 0)).toBe(true);
    expect(right.subarray(...dead)).not.toEqual(before.subarray(...dead));
  });
});
