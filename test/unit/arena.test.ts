// The layout of the shared memory: everything has its place, and no place has two things.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ArenaShape,
  attachArena,
  bytes,
  createArena,
  floats,
  JOURNAL_STRIDE,
  laneStart,
  type Regions,
  regionsOf,
  slotStride,
} from '../../src/engine/arena.js';
import { JOURNAL_BYTES, SUMS_BYTES } from '../../src/engine/kernel/kernel.js';
import { normalQuantiles } from '../../src/engine/normals.js';
import { expectApart } from './apart.js';

const shapes = fc.record({
  pixels: fc.integer({ min: 1, max: 1000 }),
  unlabelled: fc.nat(1000),
  evaluation: fc.nat(1000),
  parameters: fc.nat(5000),
  shards: fc.integer({ min: 1, max: 9 }),
  lanes: fc.integer({ min: 1, max: 5 }),
  laneBytes: fc.nat(5000),
  sliceBytes: fc.nat(5000),
  precision: fc.constantFrom('f32', 'bf16'),
  groupBytes: fc.nat(5000),
});

/** What each region has to hold, in bytes. */
function needs(shape: Required<ArenaShape>) {
  const { pixels, unlabelled, evaluation, parameters, shards, lanes, laneBytes } = shape;
  const { sliceBytes, groupBytes, precision } = shape;
  const vector = parameters * 4;
  return {
    images: unlabelled * pixels,
    evaluationImages: evaluation * pixels,
    pseudoLabels: unlabelled,
    confidences: unlabelled * 4,
    parameters: vector,
    firstMoment: vector,
    secondMoment: vector,
    rounded: precision === 'bf16' ? vector / 2 : 0,
    slots: (precision === 'bf16' ? vector / 2 : vector) * shards,
    total: vector,
    residual: vector,
    encoded: vector / 2,
    counts: shards * 4,
    sums: SUMS_BYTES,
    outgoing: vector,
    progress: shards * 4,
    normals: 2 ** 14 * 4,
    journals: lanes * JOURNAL_BYTES,
    lanes: lanes * laneBytes,
    slices: sliceBytes + lanes * groupBytes,
    end: 0,
  } satisfies Record<keyof Regions, number>;
}

describe('the regions of an arena', () => {
  it('are aligned to 64 bytes and do not overlap, nor do the slots, journals and lanes within them', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const regions = regionsOf(shape);
        const sizes = needs(shape);
        const whole = Object.keys(sizes) as (keyof Regions)[];
        expectApart(whole.map((region) => [regions[region], sizes[region]]));

        const within = (start: number, stride: number, count: number, size: number) =>
          Array.from({ length: count }, (_, i) => [start + i * stride, size] as const);
        const arena = attachArena({} as WebAssembly.Memory, shape);
        expectApart([
          ...within(regions.slots, slotStride(shape), shape.shards, sizes.rounded || shape.parameters * 4),
          [regions.total, 0],
          ...within(regions.journals, JOURNAL_STRIDE, shape.lanes, JOURNAL_BYTES),
          ...Array.from({ length: shape.lanes }, (_, lane) => [laneStart(arena, lane), shape.laneBytes] as const),
          [regions.slices, shape.sliceBytes + shape.lanes * shape.groupBytes],
          [regions.end, 0],
        ]);
      }),
    );
  });

  it('leave the first page empty, so that address 0 is always a mistake', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        expect(Math.min(...Object.values(regionsOf(shape)))).toBe(65536);
      }),
    );
  });
});

describe('createArena', () => {
  const SMALL: ArenaShape = {
    pixels: 9,
    unlabelled: 5,
    evaluation: 3,
    parameters: 40,
    shards: 2,
    lanes: 2,
    laneBytes: 100,
  };

  it('gives shared memory with room for all regions, and the normal quantiles in it', () => {
    const arena = createArena(SMALL);
    expect(arena.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(arena.memory.buffer.byteLength).toBeGreaterThanOrEqual(arena.regions.end);
    expect(floats(arena, 'normals', 2 ** 14)).toEqual(normalQuantiles(2 ** 14));
    expect(bytes(arena, 'images', 45).every((byte) => byte === 0)).toBe(true);
  });

  it('is the same arena wherever its memory is attached', () => {
    const arena = createArena(SMALL);
    const again = attachArena(arena.memory, SMALL);
    floats(arena, 'parameters', 40)[39] = 7;
    expect(floats(again, 'parameters', 40)[39]).toBe(7);
    expect(again.regions).toEqual(arena.regions);
  });

  it('throws E_MEMORY for more than WebAssembly can address, saying how much, and what to do', () => {
    expect(() => createArena({ ...SMALL, parameters: 2 ** 28, shards: 9 })).toThrow(
      expect.objectContaining({
        code: 'E_MEMORY',
        message: expect.stringContaining('15873 MiB'),
        fix: expect.stringContaining('--shards'),
      }),
    );
  });
});
