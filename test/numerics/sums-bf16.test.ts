// Partial sums of slots of bfloat16: of floats, which lie in the room of the slots that they are of, with the bits of the update's own sum.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { gradientCodecOf, sumEncoded } from '../../src/collectives/gradient-codec.js';
import { GradientSums } from '../../src/collectives/gradient-sum.js';
import { type Subtree, subtreesOf } from '../../src/collectives/tree.js';
import { type Arena, createArena, floats, gradientStride } from '../../src/engine/arena.js';
import { BLOCK } from '../../src/engine/kernel/kernel.js';
import { keyOf, Stream } from '../../src/random.js';
import { sameBits } from '../bits.js';

const LENGTH = 3 * BLOCK + 96;
const NONE = { pixels: 16, unlabelled: 1, evaluation: 0, workspaceBytes: 64, workspaces: 1 };

/** Slots of random numbers over many powers of two, so that the order of a sum shows in its bits. The same for the same seed. */
function arenaOf(shards: number, seed: number): Arena {
  const arena = createArena({ ...NONE, parameters: LENGTH, shards, precision: 'bf16' });
  const stream = new Stream(keyOf(seed, 'split', 5));
  for (let shard = 0; shard < shards; shard++) {
    halves(arena, shard).forEach((_, i, gradientBuffer) => {
      const [sign, exponent, fraction] = [stream.below(2), 110 + stream.below(20), stream.below(128)];
      gradientBuffer[i] = (sign << 15) | (exponent << 7) | fraction;
    });
  }
  return arena;
}

const halves = ({ memory, regions, shape }: Arena, shard: number) =>
  new Uint16Array(memory.buffer, regions.gradientBuffers + shard * gradientStride(shape), LENGTH);

const totalOf = (arena: Arena): Float32Array => floats(arena, 'total', LENGTH).slice();

it('a total of sums that came from elsewhere has the bits of that of the slots, whoever had which', () => {
  const shares = fc.integer({ min: 1, max: 9 }).chain((shards) =>
    fc.record({
      owners: fc.array(fc.nat(2), { minLength: shards, maxLength: shards }),
      seed: fc.nat(),
    }),
  );
  fc.assert(
    fc.property(shares, ({ owners, seed }) => {
      const shards = owners.length;
      const whole = arenaOf(shards, seed);
      expect(new GradientSums(whole).total(shards, 0, LENGTH)).toBe(true);
      const home = arenaOf(shards, seed);
      const arrived = [1, 2].flatMap((owner): Subtree[] => {
        const node = arenaOf(shards, seed);
        const owned = new Set(owners.flatMap((of, shard) => (of === owner ? [shard] : [])));
        for (const shard of owned) halves(home, shard).fill(0x7fc0); // not a number
        const subtrees = subtreesOf(owned, shards);
        const sums = new GradientSums(node);
        for (let start = 0; start < LENGTH; start += BLOCK) {
          const end = Math.min(start + BLOCK, LENGTH);
          for (const subtree of subtrees) {
            const [there, here] = [node, home].map((arena) =>
              sumEncoded(gradientCodecOf('f32', arena), arena, subtree),
            );
            const { payload } = there!.encode(sums.outgoing(subtree, start, end), start, end);
            expect(payload.length).toBe((end - start) * (subtree.count === 1 ? 2 : 4));
            here!.decode(
              payload,
              home.regions.gradientBuffers + subtree.first * gradientStride(home.shape),
              here!.bytes(start),
            );
          }
        }
        return subtrees;
      });
      const sums = new GradientSums(home);
      sums.arrived(arrived);
      for (let start = 0; start < LENGTH; start += BLOCK) {
        expect(sums.total(shards, start, Math.min(start + BLOCK, LENGTH))).toBe(true);
      }
      expect(sameBits(totalOf(home), totalOf(whole))).toBe(true);
    }),
    { numRuns: 25 },
  );
});
