// Tests the geometry of tensor parallelism: every unit belongs to one tensor shard, and every matrix has a place of its
// own.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joined, type Subtree, subtreesIn } from '../../../src/collectives/tree.js';
import { UPDATE_LOG_STRIDE } from '../../../src/engine/arena.js';
import { listRoom } from '../../../src/engine/products.js';
import { TILE_UNITS } from '../../../src/models/dense/layer.js';
import { layoutOf, modelOf } from '../../../src/models/dense/model.js';
import { sumOf } from '../../../src/models/dense/tensor-exchange.js';
import {
  rowCountsOf,
  SIGNAL_STRIDE,
  stateOf,
  tensorShardCount,
  tensorShardPlaces,
  tensorShardRoom,
  unitsOf,
} from '../../../src/models/dense/tensor-layout.js';
import type { Logits, TensorShardRange } from '../../../src/models/tensor-tasks.js';

const classifier = (pixels: number, hidden: number, classes: number) =>
  modelOf([pixels, hidden, classes], { inputDropout: 0, dropout: [], objective: 'softmax' });

const models = fc.tuple(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 2000 }),
  fc.integer({ min: 1, max: 12 }),
);
const shardCounts = fc.integer({ min: 1, max: 9 });

describe('the tensor shards of a hidden layer', () => {
  it('cover its units once, in order, each not empty and from a multiple of 16 on', () => {
    fc.assert(
      fc.property(models, shardCounts, (widths, shards) => {
        const model = classifier(...widths);
        const count = tensorShardCount(model, shards);
        let next = 0;
        for (let slice = 0; slice < count; slice++) {
          const [first, end] = unitsOf(model, count, slice);
          expect([first, first % 16]).toEqual([next, 0]);
          expect(end).toBeGreaterThan(first);
          next = end;
        }
        expect(next).toBe(widths[1]);
        expect(count).toBeLessThanOrEqual(shards);
      }),
    );
  });
});

describe('the places of a sliced step', () => {
  it('are aligned to 64 bytes, have room for what lies there, and do not overlap', () => {
    const rows = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 60 }), fc.boolean());
    fc.assert(
      fc.property(models, shardCounts, shardCounts, rows, (widths, shards, workers, [labelled, batch, labelsFresh]) => {
        const [pixels, , classes] = widths;
        const model = classifier(...widths);
        const slices = tensorShardCount(model, shards);
        const groups = Math.min(workers, slices);
        const counts = rowCountsOf(labelled, { unlabelledBatch: batch, labelsFresh });
        expect(counts.rows % 8).toBe(0);
        const places = tensorShardPlaces(model, counts, slices, groups, 640);
        const room = tensorShardRoom(model, counts, slices);
        expect(places.end).toBe(640 + room.tensorShardBytes + groups * room.shardGroupBytes);
        const most = Math.max(counts.rows, counts.clean);
        const units = Array.from({ length: slices }, (_, slice) => {
          const [first, end] = unitsOf(model, slices, slice);
          return end - first;
        });
        const floats: (readonly [at: number, length: number])[] = [
          [places.signals, (1 + groups) * SIGNAL_STRIDE],
          [places.labelledImages, (labelled * pixels) / 4],
          [places.blocks[0]!.gradient, classes * counts.rows],
          [places.narrowLayers.updateLog, UPDATE_LOG_STRIDE / 4],
          [places.end, 0],
        ];
        for (const group of places.groups) {
          const block = Math.min(TILE_UNITS, Math.max(...units));
          floats.push(
            // Clean rows begin after the labelled ones and go on to a multiple of 8.
            [group.x, Math.max(counts.rows, labelled + counts.clean) * pixels],
            [group.lists.byRow, listRoom(counts.rows, pixels) / 4],
            [group.lists.byInput, listRoom(pixels, counts.rows) / 4],
            [group.cleanLists, listRoom(counts.clean, pixels) / 4],
            [group.gradientLists, listRoom(TILE_UNITS, counts.rows) / 4],
            [group.cleanRows, pixels * counts.clean],
            [group.images, (batch * pixels) / 4],
            [group.random, 16 + most / 2],
            [group.tile, block * most],
            [group.weights, Math.max(block * pixels, group.weightFloats)],
            [group.bias, Math.max(block, classes)],
            [group.product, classes * most],
          );
        }
        for (const [slice, own] of places.blocks[0]!.shards.entries()) {
          floats.push(
            [own.updateLog, UPDATE_LOG_STRIDE / 4],
            [own.bounds, 2],
            [own.hidden, units[slice]! * counts.rows],
            [own.kernel, units[slice]! * classes],
            [own.sums, classes * counts.rows],
            [own.clean, classes * counts.clean],
          );
        }
        let end = 640;
        for (const [at, length] of floats.toSorted(([a, m], [b, n]) => a - b || m - n)) {
          expect(at % 64).toBe(0);
          expect(at).toBeGreaterThanOrEqual(end);
          end = at + length * 4;
        }
      }),
    );
  });
});

describe('the state of tensor shards', () => {
  it('is all of the parameters but their padding, each once, whatever the ranges of tensor shards', () => {
    fc.assert(
      fc.property(models, shardCounts, fc.array(fc.nat(8)), (widths, shards, cuts) => {
        const model = classifier(...widths);
        const slices = tensorShardCount(model, shards);
        const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < slices), slices])].sort((a, b) => a - b);
        const { length, places } = layoutOf(model);
        const held = new Uint8Array(length);
        ends.forEach((end, i) => {
          for (const [from, to] of stateOf(model, slices, { first: ends[i - 1] ?? 0, end })) {
            for (let at = from; at < to; at++) held[at]!++;
          }
        });
        const expected = new Uint8Array(length);
        model.layers.forEach(({ inputs, units }, layer) => {
          const { kernel, bias } = places[layer]!;
          expected.fill(1, kernel, kernel + inputs * units).fill(1, bias, bias + units);
        });
        expect(Buffer.compare(held, expected)).toBe(0);
      }),
    );
  });
});

describe('a sum of logits', () => {
  it('is a tree that splits at the largest power of two: ((0+1)+(2+3))+4, in floats, whoever summed which subtrees', () => {
    const values = [1e8, 1, -1e8, 1, 3] as const;
    const [a, b, c, d, e] = values;
    const f = Math.fround;
    const leaf = (value: number): Logits => {
      return {
        logits: Float32Array.of(value),
        clean: Float32Array.of(2 * value),
        activationBound: value,
        weightBound: 0,
      };
    };
    const sumIn = (owned: readonly TensorShardRange[], count: number) => {
      const known = owned.flatMap((range) =>
        subtreesIn(range, count).map((tree) => {
          const sum = joined(tree, (part) => (part.count === 1 ? leaf(values[part.first]!) : undefined), sumOf);
          return { ...tree, sum };
        }),
      );
      const find = (tree: Subtree) =>
        known.find(({ first, count }) => first === tree.first && count === tree.count)?.sum;
      return joined({ first: 0, count }, find, sumOf);
    };
    const expected = f(f(f(a + b) + f(c + d)) + e);
    for (const ends of [[5], [1, 5], [2, 3, 5], [1, 2, 3, 4, 5]]) {
      const { logits, clean, activationBound } = sumIn(
        ends.map((end, i) => ({ first: ends[i - 1] ?? 0, end })),
        5,
      );
      expect([logits[0], clean[0], activationBound]).toEqual([expected, 2 * expected, 1e8]);
    }
    expect(sumIn([{ first: 0, end: 3 }], 3).logits[0]).toBe(f(f(a + b) + c));
  });
});
