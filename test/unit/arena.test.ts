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
import { buffersOf } from '../../src/engine/buffers.js';
import { JOURNAL_BYTES, SUMS_BYTES } from '../../src/engine/kernel/kernel.js';
import { initialParameters, layoutOf, modelOf, relaid } from '../../src/engine/model.js';
import { normalQuantiles } from '../../src/engine/normals.js';

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
  factors: fc.nat(5000),
});

/** What each region has to hold, in bytes. */
function needs(shape: Required<ArenaShape>) {
  const { pixels, unlabelled, evaluation, parameters, shards, lanes, laneBytes } = shape;
  const { sliceBytes, groupBytes, precision, factors } = shape;
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
    left: factors * 4,
    right: factors * 4,
    partial: factors * 4,
    spare: factors > 0 ? vector : 0,
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

/** Fails where one begins before the one before it ends, or off a multiple of 64. */
function expectApart(ranges: readonly (readonly [start: number, bytes: number])[]): void {
  const sorted = ranges.toSorted(([a], [b]) => a - b);
  sorted.forEach(([start], i) => {
    expect(start % 64).toBe(0);
    const [last, length] = sorted[i - 1] ?? [0, 0];
    expect(start).toBeGreaterThanOrEqual(last + length);
  });
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

describe('the buffers of a lane', () => {
  const precisions = fc.constantFrom('f32', 'bf16');
  const widths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 });

  it('are aligned to 64 bytes and do not overlap', () => {
    fc.assert(
      fc.property(
        widths,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        precisions,
        (units, groups, training, precision) => {
          const model = { ...modelOf(units, { inputDropout: 0, dropout: [], objective: 'softmax' }), precision };
          const bytes = precision === 'f32' ? 4 : 2;
          const rows = groups * 8;
          const pixels = units[0]!;
          const buffers = buffersOf(model, rows, training, 640);
          const matrices = model.layers.map((layer, l) => [buffers.outputs[l]!, layer.units * rows * bytes] as const);
          const hidden = training ? model.layers.slice(0, -1) : [];
          expectApart([
            [640, 0],
            [buffers.x, rows * pixels * 4],
            [buffers.operand, rows * pixels * bytes],
            ...matrices,
            ...hidden.map((layer, l) => [buffers.gradients[l]!, layer.units * rows * bytes] as const),
            // In f32 they are the last output.
            ...(precision === 'f32' ? [] : [[buffers.logits, units.at(-1)! * rows * 4] as const]),
            [buffers.scratch, training && precision === 'bf16' ? Math.max(...units.slice(1)) * 4 : 0],
            [buffers.targets, training ? units.at(-1)! * rows * 4 : 0],
            ...[buffers.weights, buffers.losses, buffers.confidences, buffers.indices].map(
              (at) => [at, rows * 4] as const,
            ),
            [buffers.classes, rows],
            [buffers.labelled, training ? rows * pixels : 0],
            [buffers.random, 64],
            [buffers.end, 0],
          ]);
          expect(buffers.gradients.at(-1)).toBe(training ? buffers.outputs.at(-1) : undefined);
        },
      ),
    );
  });
});

describe('parameters of another precision', () => {
  it('are the same ones, each kernel and bias at a multiple of 64 bytes of what products read, and come back as they were', () => {
    const units = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(units, (widths) => {
        const model = modelOf(widths, { inputDropout: 0, dropout: [], objective: 'softmax' });
        const bf16 = { ...model, precision: 'bf16' } as const;
        const { places, length } = layoutOf(bf16);
        for (const { kernel, bias } of places) expect([kernel % 32, bias % 32]).toEqual([0, 0]);
        const parameters = initialParameters(model, 1, 0);
        const there = relaid(parameters, model, 'bf16');
        expect(there).toEqual(initialParameters(bf16, 1, 0));
        expect(there).toHaveLength(length);
        expect(relaid(there, bf16, 'f32')).toEqual(parameters);
      }),
      { numRuns: 20 },
    );
  });
});

describe('the parameter vector', () => {
  it('has the kernel and the bias of each layer one after the other, each at a multiple of 16 floats', () => {
    const units = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(units, (widths) => {
        const model = modelOf(widths, { inputDropout: 0, dropout: [], objective: 'softmax' });
        const { places, length } = layoutOf(model);
        const parts = model.layers.flatMap((layer, l) => [
          [places[l]!.kernel * 4, layer.inputs * layer.units * 4] as const,
          [places[l]!.bias * 4, layer.units * 4] as const,
        ]);
        expectApart([...parts, [length * 4, 0]]);
        expect(parts.map(([start]) => start)).toEqual(parts.map(([start]) => start).toSorted((a, b) => a - b));
      }),
    );
  });
});
