// Tests the gradient of a shard against tfjs' automatic differentiation of the same loss: L = mean labelled + factor *
// mean unlabelled.
import { describe, expect, it } from 'vitest';
import type { DenseModel } from '../../src/models/dense/model.js';
import { modelOf } from '../../src/models/dense/model.js';
import type { Network } from '../../src/models/dense/network.js';
import type { Engine } from '../../src/models/engine.js';
import { gradient } from '../../src/models/gradient.js';
import { paddedRows } from '../../src/models/kind.js';
import type { Objective } from '../../src/models/objective.js';
import type { GradientTask } from '../../src/models/tasks.js';
import { randomEngine } from './random-arena.js';
import { type Row, reference } from './reference.js';
import {
  DENOISING,
  droppedOut,
  gradientBufferOf,
  labelledRowsOf,
  PSEUDO,
  parametersOf,
  pseudoRowsOf,
  reconstructedRowsOf,
  rowsOf,
  TOLERANCE,
  tasksOf,
  worstPart,
} from './shard-task.js';

const plain = (widths: readonly number[], objective: Objective): DenseModel =>
  modelOf(widths, { inputDropout: 0, dropout: [], objective });

/** Does all tasks. Returns the sum of their gradient buffers in double precision. */
function sumOfBuffers(engine: Engine, tasks: readonly GradientTask[]): Float64Array {
  for (const task of tasks) gradient(engine, task);
  const total = new Float64Array(engine.arena.shape.parameterCount);
  for (const { shard } of tasks) {
    gradientBufferOf(engine.arena, shard).forEach((value, i) => {
      total[i]! += value;
    });
  }
  return total;
}

function expectGradientOf(
  engine: Engine,
  model: DenseModel,
  tasks: readonly GradientTask[],
  rows: readonly Row[],
): void {
  const expected = reference(model, parametersOf(engine.arena), rows).gradient;
  expect(worstPart(model, sumOfBuffers(engine, tasks), expected)).toBeLessThan(TOLERANCE);
}

describe('the gradient without dropout', () => {
  it.each(['softmax', 'sigmoid'] as const)('is that of the mean %s cross-entropy of the labelled rows', (objective) => {
    const model = plain([20, 24, 3], objective);
    const engine = randomEngine(model, 1);
    const tasks = tasksOf({ model, shards: 1, labelledBatch: 9, unlabelled: undefined });
    expectGradientOf(engine, model, tasks, labelledRowsOf(tasks[0]!));
  });

  it.each([1, 2, 3, 5])(
    'sums over %i shards to that of mean labelled + alpha * mean pseudo over the whole step',
    (shards) => {
      for (const objective of ['softmax', 'sigmoid'] as const) {
        const model = plain([20, 24, 3], objective);
        const engine = randomEngine(model, shards);
        // With five shards the first has none of the four labelled rows.
        const tasks = tasksOf({ model, shards, labelledBatch: 4, unlabelled: PSEUDO });
        const labelled = tasks.flatMap(labelledRowsOf).map((row) => ({ ...row, weight: 1 / 4 }));
        const pseudo = tasks.flatMap((task) => pseudoRowsOf(engine.arena, task));
        expect([labelled.length, pseudo.length]).toEqual([4, 13]);
        const weighted = pseudo.map((row) => ({ ...row, weight: 0.7 / 13 }));
        expectGradientOf(engine, model, tasks, [...labelled, ...weighted]);
      }
    },
  );

  it.each([
    [[20, 24, 20], 1],
    [[20, 24, 20], 3],
    [[20, 24, 16, 8, 16, 24, 20], 1],
    [[20, 24, 16, 8, 16, 24, 20], 2],
    [[20, 20], 1],
  ] as const)('is that of the reconstruction by %j in %i shards, as a mean over rows and pixels', (widths, shards) => {
    const model = plain(widths, 'reconstruction');
    const engine = randomEngine(model, shards);
    const tasks = tasksOf({ model, shards, labelledBatch: 0, unlabelled: DENOISING });
    const rows = tasks.flatMap((task) => reconstructedRowsOf(engine.arena, task));
    expect(rows).toHaveLength(13);
    expectGradientOf(engine, model, tasks, rows);
  });

  it('is that of a layer of more units than fit one block', () => {
    const model = plain([16, 700, 4], 'softmax');
    const engine = randomEngine(model, 1);
    const tasks = tasksOf({ model, shards: 1, labelledBatch: 5, unlabelled: PSEUDO });
    expectGradientOf(engine, model, tasks, rowsOf(engine.arena, tasks[0]!));
  });

  it('reconstructs the clean input from the noisy one', () => {
    const model = plain([20, 24, 20], 'reconstruction');
    const engine = randomEngine(model, 1);
    const [task] = tasksOf({ model, shards: 1, labelledBatch: 0, unlabelled: { ...DENOISING, noise: 0.5 } });
    gradient(engine, task!);
    const { x } = (engine.network(model, paddedRows(PSEUDO.batch), 0, true) as Network).buffers;
    const rows = reconstructedRowsOf(engine.arena, task!).map((row, r) => ({
      ...row,
      input: new Float32Array(engine.arena.memory.buffer, x + r * 20 * 4, 20).slice(),
    }));
    expect(rows.every(({ input, target }) => Array.from(target).some((value, i) => value !== input[i]))).toBe(true);
    expectGradientOf(engine, model, [task!], rows);
  });
});

describe('the gradient with dropout', () => {
  const dropped = (widths: readonly number[], inputDropout: number, dropout: readonly number[], objective: Objective) =>
    modelOf(widths, { inputDropout, dropout, objective });

  it.each([
    ['of the inputs', dropped([20, 24, 3], 0.2, [], 'softmax')],
    ['of a hidden layer', dropped([20, 24, 3], 0, [0.5], 'softmax')],
    ['of both', dropped([20, 24, 3], 0.2, [0.5], 'sigmoid')],
    ['of more units than fit one block', dropped([16, 700, 4], 0.2, [0.5], 'softmax')],
    [
      'of some of the layers of an autoencoder',
      dropped([20, 24, 16, 8, 24, 20], 0, [0.5, 0, 0, 0.3], 'reconstruction'),
    ],
  ] as const)('is that of the same masks, drawn apart for each shard: %s', (_, model) => {
    const engine = randomEngine(model, 2);
    const isReconstruction = model.objective === 'reconstruction';
    const step = isReconstruction
      ? { labelledBatch: 0, unlabelled: DENOISING }
      : { labelledBatch: 5, unlabelled: PSEUDO };
    for (const task of tasksOf({ model, shards: 2, ...step })) {
      const rows = droppedOut(task, rowsOf(engine.arena, task));
      const expected = reference(model, parametersOf(engine.arena), rows).gradient;
      gradient(engine, task);
      expect(worstPart(model, gradientBufferOf(engine.arena, task.shard), expected)).toBeLessThan(TOLERANCE);
    }
  });
});
