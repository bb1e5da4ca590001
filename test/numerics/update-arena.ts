// Makes arenas for the update alone: parameters, moments and gradient buffers of a vector that need not belong to a
// model.
import { type Arena, createArena, floats, gradientStride } from '../../src/engine/arena.js';
import { createEngine, type Engine } from '../../src/models/engine.js';
import { keyOf, Stream } from '../../src/random.js';

export const VECTORS = ['parameters', 'firstMoment', 'secondMoment'] as const;

export interface UpdateArena {
  readonly arena: Arena;
  readonly engine: Engine;
  /** Writes random parameters, moments and gradient buffers. The same seed gives the same values. */
  randomise(seed: number): void;
  gradientBuffer(shard: number): Float32Array;
  /** Returns copies of the three vectors. write() writes such copies back. */
  read(): Float32Array[];
  write(vectors: readonly Float32Array[]): void;
}

/** Makes an arena. length: the floats of a vector, a multiple of 16. */
export function updateArena(length: number, shards: number, slices = 1, averages = false): UpdateArena {
  const none = { pixels: 16, unlabelled: 1, evaluation: 0, workspaceBytes: 64 };
  const arena = createArena({ ...none, parameterCount: length, shards, workspaces: slices, averages });
  const gradientBuffer = (shard: number) =>
    new Float32Array(arena.memory.buffer, arena.regions.gradientBuffers + shard * gradientStride(arena.shape), length);
  const vector = (region: (typeof VECTORS)[number]) => floats(arena, region, length);
  return {
    arena,
    engine: createEngine(arena),
    gradientBuffer,
    randomise(seed) {
      const stream = new Stream(keyOf(seed, 'split', 5));
      const fill = (to: Float32Array, of: () => number) => {
        for (let i = 0; i < length; i++) to[i] = of();
      };
      const signed = () => 2 * stream.uniform() - 1;
      fill(vector('parameters'), signed);
      fill(vector('firstMoment'), signed);
      fill(vector('secondMoment'), () => stream.uniform());
      // The values cover many powers of ten, so that the order of a sum shows in its bits.
      for (let shard = 0; shard < shards; shard++)
        fill(gradientBuffer(shard), () => signed() * 10 ** (8 * stream.uniform() - 6));
    },
    read: () => VECTORS.map((region) => vector(region).slice()),
    write(vectors) {
      VECTORS.forEach((region, i) => {
        vector(region).set(vectors[i]!);
      });
    },
  };
}
