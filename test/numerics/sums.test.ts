// Tests partial sums: wherever the subtrees are summed, in any pieces, the total has the bits of the update's own sum.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GradientSums } from '../../src/collectives/gradient-sum.js';
import { subtreesOf } from '../../src/collectives/tree.js';
import { floats } from '../../src/engine/arena.js';
import { UPDATE_CHUNK } from '../../src/engine/kernel/kernel.js';
import { update } from '../../src/models/update.js';
import { sameBits } from '../bits.js';
import { type UpdateArena, updateArena } from './update-arena.js';

const LENGTH = 3 * UPDATE_CHUNK + 48;
const ADAM = { kind: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: 3 } as const;

/** Returns the parameters after an update, from the gradient buffers or from the total. */
function updated({ engine, read }: UpdateArena, shards: number, isSummed: boolean, id: number): Float32Array {
  const task = { slice: 0, start: 0, end: LENGTH, shards, isSummed, optimizer: ADAM };
  update(engine, { kind: 'update', update: id, ...task });
  return read()[0]!;
}

describe('a total of partial sums', () => {
  it('updates the parameters to the same bits, however the shards are shared out', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }).chain((shards) =>
          fc.record({
            owners: fc.array(fc.nat(2), { minLength: shards, maxLength: shards }),
            seed: fc.nat(),
            pieces: fc.constantFrom(1, 2, 3),
          }),
        ),
        ({ owners, seed, pieces }) => {
          const shards = owners.length;
          const [whole, home] = [updateArena(LENGTH, shards), updateArena(LENGTH, shards)];
          for (const arena of [whole, home]) arena.randomise(seed);
          const expected = updated(whole, shards, false, 1);
          const ranges = Array.from({ length: Math.ceil(4 / pieces) }, (_, i) => {
            return [i * pieces * UPDATE_CHUNK, Math.min((i + 1) * pieces * UPDATE_CHUNK, LENGTH)] as const;
          });

          const arrived = [1, 2].flatMap((owner) => {
            const node = updateArena(LENGTH, shards);
            node.randomise(seed);
            const owned = new Set(owners.flatMap((of, shard) => (of === owner ? [shard] : [])));
            for (const shard of owned) home.gradientBuffer(shard).fill(Number.NaN);
            const subtrees = subtreesOf(owned, shards);
            const sums = new GradientSums(node.arena);
            for (const subtree of subtrees) {
              for (const [start, end] of ranges) sums.inPlace(subtree, start, end);
              home.gradientBuffer(subtree.first).set(node.gradientBuffer(subtree.first));
            }
            return subtrees;
          });
          const sums = new GradientSums(home.arena);
          sums.arrived(arrived);
          for (const [start, end] of ranges) expect(sums.total(shards, start, end)).toBe(true);
          expect(sameBits(updated(home, shards, true, 2), expected)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'says so when it has a %d in it',
    (value) => {
      const { arena, gradientBuffer, randomise } = updateArena(LENGTH, 3);
      const sums = new GradientSums(arena);
      for (const [shard, i] of [
        [0, 0],
        [1, UPDATE_CHUNK - 1],
        [2, 2 * UPDATE_CHUNK - 1],
      ] as const) {
        randomise(shard);
        expect(sums.total(3, 0, 2 * UPDATE_CHUNK)).toBe(true);
        gradientBuffer(shard)[i] = value;
        expect(sums.total(3, 0, 2 * UPDATE_CHUNK)).toBe(false);
        expect(sums.total(3, 2 * UPDATE_CHUNK, LENGTH)).toBe(true);
      }
    },
  );

  it('leaves alone what lies behind the range', () => {
    const { arena, randomise } = updateArena(LENGTH, 2);
    randomise(1);
    const total = floats(arena, 'total', LENGTH).fill(7);
    new GradientSums(arena).total(2, UPDATE_CHUNK, 2 * UPDATE_CHUNK);
    expect([total[UPDATE_CHUNK - 1], total[2 * UPDATE_CHUNK]]).toEqual([7, 7]);
    expect(total.subarray(UPDATE_CHUNK, 2 * UPDATE_CHUNK)).not.toContain(7);
  });
});
