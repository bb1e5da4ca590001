// Tests the layout of the shared memory: everything has its place, and no place is used twice.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ArenaShape,
  attachArena,
  bytes,
  createArena,
  floats,
  gradientStride,
  type Regions,
  regionsOf,
  UPDATE_LOG_STRIDE,
  workspaceStart,
} from '../../src/engine/arena.js';
import { SUMS_BYTES, UPDATE_LOG_BYTES } from '../../src/engine/kernel/kernel.js';
import { normalQuantiles } from '../../src/engine/normals.js';
import { NO_IMAGES } from '../images.js';
import { expectApart } from './apart.js';

const shapes = fc.record({
  pixels: fc.integer({ min: 1, max: 1000 }),
  unlabelled: fc.nat(1000),
  evaluation: fc.nat(1000),
  parameterCount: fc.nat(5000),
  shards: fc.integer({ min: 1, max: 9 }),
  workspaces: fc.integer({ min: 1, max: 5 }),
  workspaceBytes: fc.nat(5000),
  tensorShardBytes: fc.nat(5000),
  averages: fc.boolean(),
  shardGroupBytes: fc.nat(5000),
});

const SMALL: ArenaShape = {
  pixels: 9,
  unlabelled: 5,
  evaluation: 3,
  parameterCount: 40,
  shards: 2,
  workspaces: 2,
  workspaceBytes: 100,
};

/** Returns what each region has to hold, in bytes. */
function needs(shape: Required<ArenaShape>) {
  const { unlabelled, parameterCount, shards, workspaces, workspaceBytes } = shape;
  const { tensorShardBytes, shardGroupBytes, averages } = shape;
  const vector = parameterCount * 4;
  return {
    pseudoLabels: unlabelled * 2,
    confidences: unlabelled * 4,
    parameters: vector,
    firstMoment: vector,
    secondMoment: vector,
    average: averages ? vector : 0,
    gradientBuffers: vector * shards,
    total: vector,
    residual: vector,
    encoded: vector / 2,
    counts: shards * 4,
    sums: SUMS_BYTES,
    outgoing: vector,
    progress: shards * 4,
    normals: 2 ** 14 * 4,
    updateLogs: workspaces * UPDATE_LOG_BYTES,
    averageLogs: averages ? workspaces * UPDATE_LOG_BYTES : 0,
    workspaces: workspaces * workspaceBytes,
    tensorShards: tensorShardBytes + workspaces * shardGroupBytes,
    end: 0,
  } satisfies Record<keyof Regions, number>;
}

describe('the regions of an arena', () => {
  it('are aligned to 64 bytes and do not overlap, nor do the gradient buffers, update logs and workspaces within them', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const regions = regionsOf(shape);
        const sizes = needs(shape);
        const whole = Object.keys(sizes) as (keyof Regions)[];
        expectApart(whole.map((region) => [regions[region], sizes[region]]));

        const within = (start: number, stride: number, count: number, size: number) =>
          Array.from({ length: count }, (_, i) => [start + i * stride, size] as const);
        const arena = attachArena({} as WebAssembly.Memory, shape, { unlabelled: NO_IMAGES, evaluation: NO_IMAGES });
        expectApart([
          ...within(regions.gradientBuffers, gradientStride(shape), shape.shards, shape.parameterCount * 4),
          [regions.total, 0],
          ...within(regions.updateLogs, UPDATE_LOG_STRIDE, shape.workspaces, UPDATE_LOG_BYTES),
          ...Array.from(
            { length: shape.workspaces },
            (_, workspace) => [workspaceStart(arena, workspace), shape.workspaceBytes] as const,
          ),
          [regions.tensorShards, shape.tensorShardBytes + shape.workspaces * shape.shardGroupBytes],
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
  it('gives shared memory with room for all regions, and the normal quantiles in it', () => {
    const arena = createArena(SMALL);
    expect(arena.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(arena.memory.buffer.byteLength).toBeGreaterThanOrEqual(arena.regions.end);
    expect(floats(arena, 'normals', 2 ** 14)).toEqual(normalQuantiles(2 ** 14));
    expect(bytes(arena, 'pseudoLabels', 10).every((byte) => byte === 0)).toBe(true);
  });

  it('is the same arena wherever its memory is attached', () => {
    const arena = createArena(SMALL);
    const again = attachArena(arena.memory, SMALL, arena.images);
    floats(arena, 'parameters', 40)[39] = 7;
    expect(floats(again, 'parameters', 40)[39]).toBe(7);
    expect(again.regions).toEqual(arena.regions);
  });

  it('throws E_MEMORY for more than WebAssembly can address, saying how much, and what to do', () => {
    expect(() => createArena({ ...SMALL, parameterCount: 2 ** 28, shards: 9 })).toThrow(
      expect.objectContaining({
        code: 'E_MEMORY',
        message: expect.stringContaining('15873 MiB'),
        fix: expect.stringContaining('--shards'),
      }),
    );
  });
});
