// Tests `finite` of a shard's gradient: it is never true if an element is not finite, and not false for ordinary
// numbers.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { gradient } from '../../src/models/gradient.js';
import type { GradientTask } from '../../src/models/tasks.js';
import { update } from '../../src/models/update.js';
import { denseOf } from '../dense.js';
import { randomEngine, randomParameters } from './random-arena.js';
import { gradientBufferOf, PSEUDO, tasksOf } from './shard-task.js';

const MODELS: readonly DenseModel[] = [
  modelOf([20, 24, 3], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' }),
  modelOf([20, 24, 3], { inputDropout: 0, dropout: [], objective: 'sigmoid' }),
  modelOf([20, 3], { inputDropout: 0.2, dropout: [], objective: 'softmax' }),
  modelOf([20, 24, 16, 8, 20], { inputDropout: 0, dropout: [0.5, 0, 0.3], objective: 'reconstruction' }),
];

/** Returns the positions in the parameter vector that are parameters, not padding. */
function positionsOf(model: DenseModel): number[] {
  const { places } = layoutOf(model);
  const range = (start: number, length: number) => Array.from({ length }, (_, i) => start + i);
  return model.layers.flatMap(({ units, inputs }, l) => [
    ...range(places[l]!.kernel, units * inputs),
    ...range(places[l]!.bias, units),
  ]);
}

const CASES = MODELS.map((model) => {
  const engine = randomEngine(model, 1);
  const labelledBatch = model.objective === 'reconstruction' ? 0 : 5;
  const [task] = tasksOf({ model, shards: 1, labelledBatch, unlabelled: PSEUDO }) as [GradientTask];
  return { engine, task, positions: positionsOf(model), name: `${model.layers.length} layers, ${model.objective}` };
});

const allFinite = (values: Float32Array): boolean => values.every(Number.isFinite);

describe.each(CASES)('the gradient of $name', ({ engine, task, positions }) => {
  const { arena } = engine;
  const parameters = floats(arena, 'parameters', arena.shape.parameterCount);

  /** Returns the result of step `step` with some parameters replaced. */
  function resultWith(planted: readonly (readonly [position: number, value: number])[], step: number) {
    parameters.set(randomParameters(denseOf(task.model), 1));
    for (const [position, value] of planted) parameters[positions[position]!] = value;
    return gradient(engine, { ...task, step });
  }

  const anywhere = fc.nat(positions.length - 1);
  const step = fc.nat(1000);

  it('is said to be finite for ordinary parameters, up to thousands', () => {
    const ordinary = fc.double({ min: -5000, max: 5000, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(anywhere, ordinary), { maxLength: 20 }), step, (planted, s) => {
        expect(resultWith(planted, s).finite).toBe(true);
        expect(allFinite(gradientBufferOf(arena, 0))).toBe(true);
      }),
    );
  });

  it('is never said to be finite where an element of it is not, or a loss', () => {
    const extreme = fc.constantFrom(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      ...[1e10, 1e19, 1e30, 3e38].flatMap((value) => [value, -value]),
    );
    let untrue = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(anywhere, extreme), { minLength: 1, maxLength: 6 }), step, (planted, s) => {
        const { finite, labelledLoss, unlabelledLoss } = resultWith(planted, s);
        untrue += Number(!finite);
        if (finite)
          expect([labelledLoss, unlabelledLoss].every(Number.isFinite) && allFinite(gradientBufferOf(arena, 0))).toBe(
            true,
          );
      }),
      { numRuns: 400 },
    );
    expect(untrue).toBeGreaterThan(0);
  });

  it('is not finite for a NaN in any parameter that the step used', () => {
    fc.assert(
      fc.property(anywhere, step, (position, s) => {
        const { finite } = resultWith([[position, Number.NaN]], s);
        expect(finite).toBe(false);
      }),
    );
  });
});

describe('numbers that are finite, but not their products', () => {
  const WIDTHS = [20, 700, 8, 3] as const; // 700 units are two blocks
  const model = modelOf(WIDTHS, { inputDropout: 0, dropout: [], objective: 'softmax' });
  const engine = randomEngine(model, 1);
  const { arena } = engine;
  const [task] = tasksOf({ model, shards: 1, labelledBatch: 9, unlabelled: PSEUDO }) as [GradientTask];
  const parameters = floats(arena, 'parameters', arena.shape.parameterCount);
  const kernel = (l: number) => {
    const { inputs, units } = model.layers[l]!;
    return parameters.subarray(layoutOf(model).places[l]!.kernel).subarray(0, inputs * units);
  };
  const bias = (l: number) => parameters.subarray(layoutOf(model).places[l]!.bias).subarray(0, model.layers[l]!.units);

  /**
   * Sets all parameters to 0 except those of the last layer. Its weights have `size`, and its inputs are 1 / size, so
   * that the logits are ordinary.
   */
  function prepare(size: number): void {
    parameters.fill(0);
    bias(1).fill(1 / size);
    kernel(2).forEach((_, i, weights) => {
      weights[i] = size * (1 + Math.floor(i / WIDTHS[2]));
    });
  }

  it.each([
    [5, 1e25, false],
    [690, 1e25, false],
    [5, 1e12, true],
    [690, 1e12, true],
  ])('are seen where a large activation meets a large gradient (unit %i, %f)', (unit, size, expected) => {
    prepare(size);
    bias(0)[unit] = size;
    const { finite, labelledLoss } = gradient(engine, task);
    expect(labelledLoss).toBeLessThan(1e3);
    expect([finite, allFinite(gradientBufferOf(arena, 0))]).toEqual([expected, expected]);
  });

  it.each([
    [5, 1e20, false],
    [690, 1e20, false],
    [5, 1e12, true],
    [690, 1e12, true],
  ])('are seen where a gradient grows on its way down (unit %i, %f)', (unit, size, expected) => {
    prepare(size);
    bias(0)[unit] = 1e-36;
    for (let v = 0; v < WIDTHS[2]; v++) kernel(1)[v * WIDTHS[1] + unit] = size;
    const { finite, labelledLoss } = gradient(engine, task);
    expect(Number.isFinite(labelledLoss)).toBe(true);
    expect([finite, allFinite(gradientBufferOf(arena, 0))]).toEqual([expected, expected]);
  });
});

describe('a huge learning rate', () => {
  it('is seen within a few steps', () => {
    const { engine, task } = CASES[0]!;
    const { arena } = engine;
    floats(arena, 'parameters', arena.shape.parameterCount).set(randomParameters(denseOf(task.model), 1));
    const whole = { slice: 0, start: 0, end: arena.shape.parameterCount, shards: 1 };
    const seen: boolean[] = [];
    for (let step = 1; step <= 5; step++) {
      const { finite } = gradient(engine, { ...task, step });
      expect(finite && !allFinite(gradientBufferOf(arena, 0))).toBe(false);
      seen.push(finite);
      const optimizer = { kind: 'momentum', a: 0, b: 1, c: 1e30 } as const;
      update(engine, { kind: 'update', update: step, ...whole, optimizer });
    }
    expect(seen[0]).toBe(true);
    expect(seen.at(-1)).toBe(false);
  });
});
