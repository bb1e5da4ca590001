// Tests the draws of a step: each row once an epoch, for any batches, from the number of the draw alone.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawOfShards, LabelledSampler, labelledBatch, ShardSampler } from '../../../src/data/sampling.js';
import { shardRange } from '../../../src/data/shards.js';

const everyOne = (count: number) => [...Array(count).keys()];
const sorted = (positions: Iterable<number>) => [...positions].sort((a, b) => a - b);
const anyCount = fc.integer({ min: 1, max: 60 });

describe('labelledBatch', () => {
  it('draws 100 rows in batches of 32, 32, 32 and 4, as the report', () => {
    const order = { seed: 1, stage: 0, count: 100, batch: 32 };
    expect([0, 1, 2, 3, 4].map((step) => labelledBatch(order, step).length)).toEqual([32, 32, 32, 4, 32]);
  });

  it('draws each row once an epoch', () => {
    fc.assert(
      fc.property(anyCount, anyCount, fc.nat(20), (count, batch, epoch) => {
        const order = { seed: 1, stage: 0, count, batch };
        const steps = Math.ceil(count / batch);
        const rows = everyOne(steps).flatMap((step) => [...labelledBatch(order, epoch * steps + step)]);
        expect(sorted(rows)).toEqual(everyOne(count));
      }),
    );
  });

  it('draws another order for another epoch, stage or seed', () => {
    const order = { seed: 1, stage: 0, count: 100, batch: 100 };
    const orders = [
      labelledBatch(order, 0),
      labelledBatch(order, 1),
      labelledBatch({ ...order, stage: 1 }, 0),
      labelledBatch({ ...order, seed: 2 }, 0),
    ];
    expect(new Set(orders.map(String)).size).toBe(4);
  });
});

describe('LabelledSampler', () => {
  it('draws what labelledBatch says, whatever it drew before', () => {
    const asked = fc.record({
      seed: fc.nat(2),
      stage: fc.nat(2),
      count: fc.integer({ min: 1, max: 9 }),
      step: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(asked, { minLength: 1 }), (all) => {
        const sampler = new LabelledSampler();
        for (const { step, ...order } of all)
          expect(sampler.draw({ ...order, batch: 4 }, step)).toEqual(labelledBatch({ ...order, batch: 4 }, step));
      }),
    );
  });
});

describe('ShardSampler', () => {
  const order = { seed: 1, stage: 0, shard: 2, count: 37 };

  it('draws each image once an epoch, whatever the sizes of the batches', () => {
    fc.assert(
      fc.property(anyCount, fc.array(fc.nat(90), { minLength: 1, maxLength: 8 }), (count, batches) => {
        const sampler = new ShardSampler({ ...order, count });
        const draws: number[] = [];
        for (const batch of batches) draws.push(...sampler.draw(draws.length, batch));
        for (let epoch = 0; (epoch + 1) * count <= draws.length; epoch++) {
          expect(sorted(draws.slice(epoch * count, (epoch + 1) * count))).toEqual(everyOne(count));
        }
        expect(draws).toEqual([...new ShardSampler({ ...order, count }).draw(0, draws.length)]);
      }),
    );
  });

  it('draws the same from any draw on, fresh or used', () => {
    const all = new ShardSampler(order).draw(0, 1000);
    const used = new ShardSampler(order);
    fc.assert(
      fc.property(fc.nat(900), fc.nat(100), (first, n) => {
        const expected = all.slice(first, first + n);
        expect(new ShardSampler(order).draw(first, n)).toEqual(expected);
        expect(used.draw(first, n)).toEqual(expected);
      }),
    );
  });

  it('draws another order for another epoch, stage, shard or seed', () => {
    const orders = [
      new ShardSampler(order).draw(0, 37),
      new ShardSampler(order).draw(37, 37),
      new ShardSampler({ ...order, stage: 1 }).draw(0, 37),
      new ShardSampler({ ...order, shard: 1 }).draw(0, 37),
      new ShardSampler({ ...order, seed: 2 }).draw(0, 37),
    ];
    expect(new Set(orders.map(String)).size).toBe(5);
  });
});

describe('drawOfShards', () => {
  it('is the draws of all shards, one behind the other, as positions in the whole set', () => {
    const shards = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(anyCount, fc.nat(40), shards, fc.nat(30), (more, batch, shards, step) => {
        const count = shards + more;
        const order = { seed: 3, stage: 1, count };
        const expected = Array.from({ length: shards }, (_, shard) => {
          const [first, end] = shardRange(count, shards, shard);
          const [firstRow, endRow] = shardRange(batch, shards, shard);
          const rows = endRow - firstRow;
          const sampler = new ShardSampler({ ...order, shard, count: end - first });
          return [...sampler.draw(step * rows, rows)].map((position) => first + position);
        });
        const drawn = drawOfShards((of) => new ShardSampler(of), { ...order, step, shards, batch });
        expect([...drawn]).toEqual(expected.flat());
      }),
    );
  });
});
