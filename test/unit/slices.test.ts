// The geometry of hidden-unit sharding: every unit has one slice, and every matrix a place of its own.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JOURNAL_STRIDE } from '../../src/engine/arena.js';
import { blockUnits } from '../../src/engine/dense.js';
import { modelOf } from '../../src/engine/model.js';
import { treeSum } from '../../src/engine/output.js';
import { rowCountsOf, SIGNAL_STRIDE, sliceCount, slicePlaces, unitsOf } from '../../src/engine/slices.js';

const classifier = (pixels: number, hidden: number, classes: number) =>
  modelOf([pixels, hidden, classes], { inputDropout: 0, dropout: [], objective: 'softmax' });

const models = fc.tuple(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 2000 }),
  fc.integer({ min: 1, max: 12 }),
);
const shardCounts = fc.integer({ min: 1, max: 9 });

describe('the slices of a hidden layer', () => {
  it('cover its units once, in order, each not empty and from a multiple of 16 on', () => {
    fc.assert(
      fc.property(models, shardCounts, (widths, shards) => {
        const model = classifier(...widths);
        const slices = sliceCount(model, shards);
        let next = 0;
        for (let slice = 0; slice < slices; slice++) {
          const [first, end] = unitsOf(model, slices, slice);
          expect([first, first % 16]).toEqual([next, 0]);
          expect(end).toBeGreaterThan(first);
          next = end;
        }
        expect(next).toBe(widths[1]);
        expect(slices).toBeLessThanOrEqual(shards);
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
        const slices = sliceCount(model, shards);
        const groups = Math.min(workers, slices);
        const counts = rowCountsOf(labelled, { unlabelledBatch: batch, labelsFresh });
        expect(counts.rows % 8).toBe(0);
        const places = slicePlaces(model, counts, slices, groups, 640);
        const most = Math.max(counts.rows, counts.clean);
        const units = Array.from({ length: slices }, (_, slice) => {
          const [first, end] = unitsOf(model, slices, slice);
          return end - first;
        });
        const floats: (readonly [at: number, length: number])[] = [
          [places.signals, (1 + groups) * SIGNAL_STRIDE],
          [places.labelledImages, (labelled * pixels) / 4],
          [places.gradient, classes * counts.rows],
          [places.end, 0],
        ];
        for (const group of places.groups) {
          const block = Math.min(blockUnits('f32'), Math.max(...units));
          floats.push(
            // Clean rows begin behind the labelled ones and go on to a multiple of 8.
            [group.x, Math.max(counts.rows, labelled + counts.clean) * pixels],
            [group.operand, pixels * counts.rows],
            [group.cleanOperand, pixels * counts.clean],
            [group.indices, Math.max(labelled, batch)],
            [group.random, 16 + most / 2],
            [group.block, block * most],
            [group.weights, Math.max(block * pixels, classes * Math.max(...units))],
            [group.bias, Math.max(block, classes)],
            [group.product, classes * most],
          );
        }
        for (const [slice, own] of places.slices.entries()) {
          floats.push(
            [own.journal, JOURNAL_STRIDE / 4],
            [own.bounds, 2],
            [own.hidden, units[slice]! * counts.rows],
            [own.kernel, units[slice]! * classes],
            [own.logits, classes * counts.rows],
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

describe('a sum of partial logits', () => {
  it('is a tree that splits at the largest power of two: ((0+1)+(2+3))+4, in floats', () => {
    const parts = [1e8, 1, -1e8, 1, 3].map((value) => Float32Array.of(value));
    const [a, b, c, d, e] = parts.map(([value]) => value!) as [number, number, number, number, number];
    const f = Math.fround;
    expect(treeSum(parts)[0]).toBe(f(f(f(a + b) + f(c + d)) + e));
    expect(treeSum(parts.slice(0, 3))[0]).toBe(f(f(a + b) + c));
    expect(treeSum(parts.slice(0, 1))[0]).toBe(a);
    expect(parts.map(([value]) => value)).toEqual([a, b, c, d, e]);
  });
});
