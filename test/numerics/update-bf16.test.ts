// The update of a run in bf16: sums of floats from slots of bfloat16, and a rounded copy of the parameters that is never behind them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Arena, createArena, floats, gradientStride } from '../../src/engine/arena.js';
import { BLOCK } from '../../src/engine/kernel/kernel.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import { createEngine } from '../../src/models/engine.js';
import type { UpdateTask } from '../../src/models/tasks.js';
import { update } from '../../src/models/update.js';
import { sameBits } from '../bits.js';
import { halvesOf, nearest, valuesOf } from './bfloat.js';
import { uniform } from './shard-task.js';
import { type UpdateArena, updateArena } from './update-arena.js';

const LENGTH = 3 * BLOCK + 96;
const ADAM: OptimizerStep = { kind: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: 3 };
const MOMENTUM: OptimizerStep = { kind: 'momentum', a: 0.9, b: 0.1, c: 1 };

const taskOf = (shards: number, optimizer: OptimizerStep, start = 0, end = LENGTH): UpdateTask => {
  return { kind: 'update', update: 1, slice: 0, start, end, shards, optimizer };
};

/** The same arena in bf16: its slots are those of the other, rounded, which the other has from then on too. */
function inBf16({ arena, gradientBuffer }: UpdateArena): Arena {
  const rounded = createArena({ ...arena.shape, precision: 'bf16' });
  for (const region of ['parameters', 'firstMoment', 'secondMoment'] as const) {
    floats(rounded, region, LENGTH).set(floats(arena, region, LENGTH));
  }
  for (let shard = 0; shard < arena.shape.shards; shard++) {
    gradientBuffer(shard).set(gradientBuffer(shard).map(nearest));
    const at = rounded.regions.gradientBuffers + shard * gradientStride(rounded.shape);
    new Uint16Array(rounded.memory.buffer, at, LENGTH).set(halvesOf(gradientBuffer(shard)));
  }
  copyOf(rounded).fill(0);
  return rounded;
}

const copyOf = ({ memory, regions }: Arena): Uint16Array => new Uint16Array(memory.buffer, regions.rounded, LENGTH);

describe.each([ADAM, MOMENTUM])('an update in bf16, by $kind', (optimizer) => {
  it.each([1, 2, 3, 4, 5, 7, 8])(
    'has the bits of floats of the same value in %i slots, and rounds the parameters',
    (shards) => {
      const vectors = updateArena(LENGTH, shards);
      vectors.randomise(shards);
      const arena = inBf16(vectors);
      update(createEngine(arena), taskOf(shards, optimizer));
      update(vectors.engine, taskOf(shards, optimizer));
      for (const [i, region] of (['parameters', 'firstMoment', 'secondMoment'] as const).entries()) {
        expect(sameBits(floats(arena, region, LENGTH), vectors.read()[i]!), region).toBe(true);
      }
      expect(sameBits(valuesOf(copyOf(arena)), vectors.read()[0]!.map(nearest))).toBe(true);
    },
  );

  it('writes to its own range only', () => {
    const vectors = updateArena(LENGTH, 2);
    vectors.randomise(1);
    const arena = inBf16(vectors);
    const before = floats(arena, 'parameters', LENGTH).slice();
    const [start, end] = [BLOCK, 2 * BLOCK + 37];
    update(createEngine(arena), taskOf(2, optimizer, start, end));
    const copy = copyOf(arena);
    const parameters = floats(arena, 'parameters', LENGTH);
    for (let i = 0; i < LENGTH; i++) {
      const isOwn = i >= start && i < end;
      expect(parameters[i] !== before[i]).toBe(isOwn);
      expect(copy[i] !== 0).toBe(isOwn);
    }
  });

  it('that stopped at any instruction goes on to the same bits, the copy too', () => {
    const vectors = updateArena(LENGTH, 3);
    vectors.randomise(5);
    const arena = inBf16(vectors);
    const engine = createEngine(arena);
    const regions = ['parameters', 'firstMoment', 'secondMoment'] as const;
    const before = regions.map((region) => floats(arena, region, LENGTH).slice());
    update(engine, taskOf(3, optimizer));
    const after = regions.map((region) => floats(arena, region, LENGTH).slice());
    const copy = copyOf(arena).slice();
    const { updateLogs } = arena.regions;
    const words = new Int32Array(arena.memory.buffer, updateLogs, 2);
    const staged = regions.map((_, i) => new Float32Array(arena.memory.buffer, updateLogs + 64 + i * BLOCK * 4, BLOCK));
    const next = uniform(3);
    fc.assert(
      fc.property(fc.nat(3), fc.nat(BLOCK), (k, copied) => {
        const done = Math.min(k * BLOCK + copied, LENGTH);
        regions.forEach((region, i) => {
          const vector = floats(arena, region, LENGTH);
          vector.set(before[i]!);
          // The parameters are copied first: those of the block in part, of the moments nothing.
          vector.set(after[i]!.subarray(0, i === 0 ? done : k * BLOCK));
          staged[i]!.set(after[i]!.subarray(k * BLOCK, (k + 1) * BLOCK));
        });
        copyOf(arena).forEach((_, i, halves) => {
          halves[i] = i < k * BLOCK ? copy[i]! : Math.floor(65536 * next());
        });
        words.set([1, 2 * k + 1]);
        update(engine, taskOf(3, optimizer));
        const used = optimizer.kind === 'adam' ? regions : regions.slice(0, 2);
        for (const [i, region] of used.entries()) expect(sameBits(floats(arena, region, LENGTH), after[i]!)).toBe(true);
        expect(copyOf(arena)).toEqual(copy);
      }),
      { numRuns: 40 },
    );
  });
});
