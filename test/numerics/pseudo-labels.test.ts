// Tests pseudo-labels in the gradient of a shard: which weigh nothing, which count, and where fresh ones come from.
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import { modelOf } from '../../src/models/dense/model.js';
import { gradient } from '../../src/models/gradient.js';
import { randomEngine } from './random-arena.js';
import { reference } from './reference.js';
import {
  droppedOut,
  gradientBufferOf,
  labelledRowsOf,
  oneHot,
  PSEUDO,
  parametersOf,
  pseudoRowsOf,
  TOLERANCE,
  tasksOf,
  worstPart,
} from './shard-task.js';

describe('pseudo-labels', () => {
  const model = modelOf([20, 24, 3], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });

  it('below the threshold weigh nothing, while the mean is still over the whole batch', () => {
    const engine = randomEngine(model, 2);
    const tasks = tasksOf({
      model,
      shards: 2,
      labelledBatch: 0,
      unlabelled: { ...PSEUDO, settings: { threshold: 0.45 } },
    });
    for (const task of tasks) {
      const rows = droppedOut(task, pseudoRowsOf(engine.arena, task));
      const counted = rows.filter(({ weight }) => weight > 0);
      expect(counted.length).toBeGreaterThan(0);
      expect(counted.length).toBeLessThan(rows.length);
      const { gradient: expected, losses } = reference(model, parametersOf(engine.arena), rows);
      const result = gradient(engine, task);
      expect(worstPart(model, gradientBufferOf(engine.arena, task.shard), expected)).toBeLessThan(TOLERANCE);
      expect(result.counted).toBe(counted.length);
      const sum = losses.reduce((total, loss, r) => total + (rows[r]!.weight > 0 ? loss : 0), 0);
      expect(result.unlabelledLoss).toBeCloseTo(sum, 4);
    }
  });

  it('of exactly the threshold count', () => {
    const engine = randomEngine(model, 1);
    const [task] = tasksOf({
      model,
      shards: 1,
      labelledBatch: 0,
      unlabelled: { ...PSEUDO, settings: { threshold: 0.5 } },
    });
    floats(engine.arena, 'confidences', engine.arena.shape.unlabelled).fill(0.5);
    expect(gradient(engine, task!).counted).toBe(13);
  });

  it.each(['softmax', 'sigmoid'] as const)(
    'that are fresh are those of the parameters as they are, without dropout, with their %s confidences',
    (objective) => {
      const fresh = { ...model, objective };
      const engine = randomEngine(fresh, 2);
      const confidenceOf = (logits: Float32Array) => {
        const most = Math.max(...logits);
        if (objective === 'sigmoid') return 1 / (1 + Math.exp(-most));
        return 1 / logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
      };
      const unlabelled = { ...PSEUDO, pseudoLabels: 'fresh' } as const;
      for (const drawing of tasksOf({ model: fresh, shards: 2, labelledBatch: 5, unlabelled })) {
        const parameters = parametersOf(engine.arena);
        const drawn = pseudoRowsOf(engine.arena, drawing);
        const { logits } = reference(fresh, parameters, drawn);
        const logitsOf = drawn.map((_, r) => logits.subarray(3 * r, 3 * r + 3));
        const confidences = logitsOf.map(confidenceOf);
        const [low, high] = confidences.toSorted().slice(2) as [number, number];
        const task = { ...drawing, unlabelled: { ...unlabelled, settings: { threshold: (low + high) / 2 } } };
        const relabelled = logitsOf.map((own, r) => ({
          ...drawn[r]!,
          target: oneHot(own.indexOf(Math.max(...own)), 3),
          weight: confidences[r]! >= high ? 0.7 / 13 : 0,
        }));
        const rows = droppedOut(task, [...labelledRowsOf(task), ...relabelled]);
        expect(gradient(engine, task).counted).toBe(drawn.length - 3);
        const expected = reference(fresh, parameters, rows).gradient;
        expect(worstPart(fresh, gradientBufferOf(engine.arena, task.shard), expected)).toBeLessThan(TOLERANCE);
      }
    },
  );
});
