// Tests pseudo-labels with balanced classes, against tfjs' automatic differentiation with labels from shifted logits.
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import type { UnlabelledRows } from '../../src/methods/method.js';
import { modelOf } from '../../src/models/dense/model.js';
import { gradient } from '../../src/models/gradient.js';
import { softmax } from './logits.js';
import { randomEngine } from './random-arena.js';
import { reference } from './reference.js';
import {
  droppedOut,
  gradientBufferOf,
  labelledRowsOf,
  oneHot,
  PSEUDO,
  pseudoRowsOf,
  tasksOf,
  worstPart,
} from './shard-task.js';

const TOLERANCE = 2e-6;

const argmax = (values: readonly number[]): number => values.indexOf(Math.max(...values));

describe('pseudo-labels that are balanced', () => {
  const model = modelOf([20, 24, 3], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });
  const logitShift = Float32Array.of(0.4, -0.9, 0.6);
  const fresh = { ...PSEUDO, pseudoLabels: 'fresh' } as const;

  it('are those of the shifted logits, with their confidences; the masses are of the logits before', () => {
    const engine = randomEngine(model, 2);
    const parameters = floats(engine.arena, 'parameters', engine.arena.shape.parameterCount).slice();
    const taskWith = (unlabelled: UnlabelledRows) => tasksOf({ model, shards: 1, labelledBatch: 5, unlabelled })[0]!;
    const drawn = pseudoRowsOf(engine.arena, taskWith(fresh));
    const { logits } = reference(model, parameters, drawn);
    const softmaxed = drawn.map((_, r) => softmax([...logits.subarray(3 * r, 3 * r + 3)]));
    const shifted = drawn.map((_, r) => softmax([0, 1, 2].map((c) => logits[3 * r + c]! + logitShift[c]!)));
    expect(shifted.map(argmax)).not.toEqual(softmaxed.map(argmax));
    const confidences = shifted.map((shares) => Math.max(...shares));
    const [low, high] = confidences.toSorted().slice(5) as [number, number];
    const relabelled = shifted.map((shares, r) => ({
      ...drawn[r]!,
      target: oneHot(argmax(shares), 3),
      weight: confidences[r]! >= high ? 0.7 / 13 : 0,
    }));
    const task = taskWith({ ...fresh, logitShift, settings: { threshold: (low + high) / 2 } });
    const result = gradient(engine, task);
    expect(result.counted).toBe(13 - 6);
    const masses = [0, 1, 2].map((c) => softmaxed.reduce((sum, shares) => sum + shares[c]!, 0));
    for (const [c, mass] of masses.entries()) expect(result.statistics[c]).toBeCloseTo(mass, 4);
    const rows = droppedOut(task, [...labelledRowsOf(task), ...relabelled]);
    const expected = reference(model, parameters, rows).gradient;
    expect(worstPart(model, gradientBufferOf(engine.arena, 0), expected)).toBeLessThan(TOLERANCE);
  });

  it('have masses of the shifted logits where those are asked for, and are the same', () => {
    const engine = randomEngine(model, 2);
    const parameters = floats(engine.arena, 'parameters', engine.arena.shape.parameterCount).slice();
    const resultWith = (masses: UnlabelledRows['masses']) => {
      const unlabelled = { ...fresh, logitShift, masses } as const;
      const task = tasksOf({ model, shards: 1, labelledBatch: 5, unlabelled })[0]!;
      const drawn = pseudoRowsOf(engine.arena, task);
      return { drawn, result: gradient(engine, task), gradientBuffer: gradientBufferOf(engine.arena, 0).slice() };
    };
    const [plain, shifted] = [resultWith('plain'), resultWith('shifted')];
    const { logits } = reference(model, parameters, shifted.drawn);
    const expected = [0, 1, 2].map((c) =>
      shifted.drawn.reduce(
        (sum, _, r) => sum + softmax([0, 1, 2].map((k) => logits[3 * r + k]! + logitShift[k]!))[c]!,
        0,
      ),
    );
    for (const [c, mass] of expected.entries()) expect(shifted.result.statistics[c]).toBeCloseTo(mass, 4);
    expect(shifted.gradientBuffer).toEqual(plain.gradientBuffer);
  });

  it('have no masses where nothing shifts them, or there are none', () => {
    const massesOf = (unlabelled: UnlabelledRows | undefined) =>
      gradient(randomEngine(model, 2), tasksOf({ model, shards: 1, labelledBatch: 5, unlabelled })[0]!).statistics;
    for (const unlabelled of [fresh, PSEUDO, undefined]) expect(massesOf(unlabelled)).toEqual([]);
  });
});
