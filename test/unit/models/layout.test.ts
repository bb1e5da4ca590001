// Tests what a model lays out in memory: the workspace of a task, and the parameter vector.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutOf, modelOf } from '../../../src/models/dense/model.js';
import { workspaceOf } from '../../../src/models/dense/workspace.js';
import { expectApart } from '../apart.js';

const anyWidths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 });
const modelWith = (widths: readonly number[]) =>
  modelOf(widths, { inputDropout: 0, dropout: [], objective: 'softmax' });

describe('the workspace of a task', () => {
  it('are aligned to 64 bytes and do not overlap', () => {
    fc.assert(
      fc.property(anyWidths, fc.integer({ min: 1, max: 9 }), fc.boolean(), (units, groups, training) => {
        const model = modelWith(units);
        const rows = groups * 8;
        const pixels = units[0]!;
        const buffers = workspaceOf(model, rows, training, 640);
        const matrices = model.layers.map((layer, l) => [buffers.outputs[l]!, layer.units * rows * 4] as const);
        const hidden = training ? model.layers.slice(0, -1) : [];
        expectApart([
          [640, 0],
          [buffers.x, rows * pixels * 4],
          ...matrices,
          ...hidden.map((layer, l) => [buffers.gradients[l]!, layer.units * rows * 4] as const),
          [buffers.targets, training ? units.at(-1)! * rows * 4 : 0],
          ...[buffers.weights, buffers.losses, buffers.confidences].map((at) => [at, rows * 4] as const),
          [buffers.classes, rows * 2],
          [buffers.images, rows * pixels],
          [buffers.random, 64],
          [buffers.end, 0],
        ]);
        expect(buffers.gradients.at(-1)).toBe(training ? buffers.outputs.at(-1) : undefined);
      }),
    );
  });
});

describe('the parameter vector', () => {
  it('has the kernel and the bias of each layer one after the other, each at a multiple of 16 floats', () => {
    fc.assert(
      fc.property(anyWidths, (widths) => {
        const model = modelWith(widths);
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
