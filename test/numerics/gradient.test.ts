// The gradient of a shard against tfjs' automatic differentiation of the same loss: L = mean labelled + factor * mean unlabelled.
import { describe, expect, it } from 'vitest';
import { type Arena, floats, laneStart } from '../../src/engine/arena.js';
import { paddedRows } from '../../src/engine/buffers.js';
import { createEngine, type Engine } from '../../src/engine/engine.js';
import { gradient } from '../../src/engine/gradient.js';
import { layoutOf, type Model, modelOf, type Objective } from '../../src/engine/model.js';
import type { GradientTask } from '../../src/protocol/tasks.js';
import { MOST_ROWS, randomArena, randomEngine } from './random-arena.js';
import { type Row, reference } from './reference.js';
import {
  drawnBy,
  droppedOut,
  labelledRowsOf,
  oneHot,
  PSEUDO,
  pseudoRowsOf,
  reconstructedRowsOf,
  slotOf,
  tasksOf,
  worstPart,
} from './shard-task.js';

const TOLERANCE = 2e-6;

const plain = (widths: readonly number[], objective: Objective): Model =>
  modelOf(widths, { inputDropout: 0, dropout: [], objective });

const parametersOf = (arena: Arena): Float32Array => floats(arena, 'parameters', arena.shape.parameters).slice();

/** Does all tasks; returns the sum of their slots in double precision. */
function sumOfSlots(engine: Engine, tasks: readonly GradientTask[]): Float64Array {
  for (const task of tasks) gradient(engine, task);
  const total = new Float64Array(engine.arena.shape.parameters);
  for (const { shard } of tasks) {
    slotOf(engine.arena, shard).forEach((value, i) => {
      total[i]! += value;
    });
  }
  return total;
}

function rowsOf(arena: Arena, task: GradientTask): Row[] {
  return task.model.objective === 'reconstruction'
    ? reconstructedRowsOf(arena, task)
    : [...labelledRowsOf(task), ...pseudoRowsOf(arena, task)];
}

function expectGradientOf(engine: Engine, model: Model, tasks: readonly GradientTask[], rows: readonly Row[]): void {
  const expected = reference(model, parametersOf(engine.arena), rows).gradient;
  expect(worstPart(model, sumOfSlots(engine, tasks), expected)).toBeLessThan(TOLERANCE);
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
    const tasks = tasksOf({ model, shards, labelledBatch: 0, unlabelled: PSEUDO });
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
    const [task] = tasksOf({ model, shards: 1, labelledBatch: 0, unlabelled: { ...PSEUDO, noise: 0.5 } });
    gradient(engine, task!);
    const { x } = engine.network(model, paddedRows(PSEUDO.batch), 0, true).buffers;
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
    const labelledBatch = model.objective === 'reconstruction' ? 0 : 5;
    for (const task of tasksOf({ model, shards: 2, labelledBatch, unlabelled: PSEUDO })) {
      const rows = droppedOut(task, rowsOf(engine.arena, task));
      const expected = reference(model, parametersOf(engine.arena), rows).gradient;
      gradient(engine, task);
      expect(worstPart(model, slotOf(engine.arena, task.shard), expected)).toBeLessThan(TOLERANCE);
    }
  });
});

describe('pseudo-labels', () => {
  const model = modelOf([20, 24, 3], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });

  it('below the threshold weigh nothing, while the mean is still over the whole batch', () => {
    const engine = randomEngine(model, 2);
    const tasks = tasksOf({ model, shards: 2, labelledBatch: 0, unlabelled: { ...PSEUDO, threshold: 0.45 } });
    for (const task of tasks) {
      const rows = droppedOut(task, pseudoRowsOf(engine.arena, task));
      const counted = rows.filter(({ weight }) => weight > 0);
      expect(counted.length).toBeGreaterThan(0);
      expect(counted.length).toBeLessThan(rows.length);
      const { gradient: expected, losses } = reference(model, parametersOf(engine.arena), rows);
      const result = gradient(engine, task);
      expect(worstPart(model, slotOf(engine.arena, task.shard), expected)).toBeLessThan(TOLERANCE);
      expect(result.counted).toBe(counted.length);
      const sum = losses.reduce((total, loss, r) => total + (rows[r]!.weight > 0 ? loss : 0), 0);
      expect(result.unlabelledLoss).toBeCloseTo(sum, 4);
    }
  });

  it('of exactly the threshold count', () => {
    const engine = randomEngine(model, 1);
    const [task] = tasksOf({ model, shards: 1, labelledBatch: 0, unlabelled: { ...PSEUDO, threshold: 0.5 } });
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
        const task = { ...drawing, unlabelled: { ...unlabelled, threshold: (low + high) / 2 } };
        const relabelled = logitsOf.map((own, r) => ({
          ...drawn[r]!,
          target: oneHot(own.indexOf(Math.max(...own)), 3),
          weight: confidences[r]! >= high ? 0.7 / 13 : 0,
        }));
        const rows = droppedOut(task, [...labelledRowsOf(task), ...relabelled]);
        expect(gradient(engine, task).counted).toBe(drawn.length - 3);
        const expected = reference(fresh, parameters, rows).gradient;
        expect(worstPart(fresh, slotOf(engine.arena, task.shard), expected)).toBeLessThan(TOLERANCE);
      }
    },
  );
});

describe('a gradient task', () => {
  const model = modelOf([20, 24, 3], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });
  const step = { model, shards: 3, labelledBatch: 7, unlabelled: PSEUDO };

  it('tells how many rows it had and the sums of their losses, not weighted', () => {
    const engine = randomEngine(model, 3);
    for (const task of tasksOf(step)) {
      const labelled = labelledRowsOf(task);
      const rows = [...labelled, ...pseudoRowsOf(engine.arena, task)];
      const { losses } = reference(model, parametersOf(engine.arena), droppedOut(task, rows));
      const result = gradient(engine, task);
      const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
      expect(result.rows).toBe(rows.length);
      expect(result.counted).toBe(rows.length - labelled.length);
      expect(result.labelledLoss).toBeCloseTo(sum(losses.subarray(0, labelled.length)), 4);
      expect(result.unlabelledLoss).toBeCloseTo(sum(losses.subarray(labelled.length)), 4);
      expect(result.finite).toBe(true);
    }
  });

  it('tells the loss of a reconstruction as a mean over the pixels', () => {
    const autoencoder = plain([20, 24, 20], 'reconstruction');
    const engine = randomEngine(autoencoder, 1);
    const [task] = tasksOf({ model: autoencoder, shards: 1, labelledBatch: 0, unlabelled: PSEUDO });
    const { losses } = reference(autoencoder, parametersOf(engine.arena), rowsOf(engine.arena, task!));
    const { unlabelledLoss } = gradient(engine, task!);
    expect(unlabelledLoss).toBeCloseTo(
      losses.reduce((total, loss) => total + loss / 20, 0),
      4,
    );
  });

  it('leaves 0 in the slot of a shard without rows', () => {
    const engine = randomEngine(model, 5);
    const tasks = tasksOf({ model, shards: 5, labelledBatch: 0, unlabelled: { ...PSEUDO, batch: 3 } });
    const results = tasks.map((task) => gradient(engine, task));
    expect(results.map(({ rows }) => rows)).toEqual([0, 1, 0, 1, 1]);
    for (const shard of [0, 2]) {
      expect(results[shard]).toMatchObject({ labelledLoss: 0, unlabelledLoss: 0, counted: 0, finite: true });
      expect(slotOf(engine.arena, shard).every((value) => value === 0)).toBe(true);
    }
  });

  it('leaves 0 between the parts of its slot, whatever an earlier model left there', () => {
    const engine = randomEngine(model, 3);
    const [task] = tasksOf(step);
    gradient(engine, task!);
    const between = Array.from(slotOf(engine.arena, 0));
    const { places } = layoutOf(model);
    model.layers.forEach(({ units, inputs }, l) => {
      between.fill(0, places[l]!.kernel, places[l]!.kernel + units * inputs);
      between.fill(0, places[l]!.bias, places[l]!.bias + units);
    });
    expect(between.every((value) => value === 0)).toBe(true);
  });

  it('writes to its own slot and lane only, also when it fills them', () => {
    const engine = randomEngine(model, 2);
    const { arena } = engine;
    const unlabelled = { ...PSEUDO, batch: 88, pseudoLabels: 'fresh' } as const;
    const [, task] = tasksOf({ model, shards: 2, labelledBatch: 40, unlabelled });
    const before = new Uint8Array(arena.memory.buffer).slice();
    expect(gradient(engine, task!).rows).toBe(MOST_ROWS);
    const slot = slotOf(arena, 1);
    const own = [
      [slot.byteOffset, slot.byteOffset + slot.byteLength],
      [laneStart(arena, 0), laneStart(arena, 1)],
    ] as const;
    const after = new Uint8Array(arena.memory.buffer);
    for (const [start, end] of own) {
      expect(after.subarray(start, end).some((byte, i) => byte !== before[start + i])).toBe(true);
      before.set(after.subarray(start, end), start);
    }
    // And the word that says how far its slot has been written.
    const word = arena.regions.progress + 4;
    before.set(after.subarray(word, word + 4), word);
    expect(Buffer.compare(before, after)).toBe(0);
  });

  it('gives the same bits again, also by an engine that has never computed and in a lane full of something else', () => {
    const arenas = [randomArena(model, 3, 1), randomArena(model, 3, 1)] as const;
    const [used, fresh] = arenas.map(createEngine) as [Engine, Engine];
    const tasks = tasksOf({ ...step, unlabelled: { ...PSEUDO, pseudoLabels: 'fresh' } });
    for (const task of [...tasks, ...tasksOf({ ...step, labelledBatch: 20 })]) gradient(used, task);
    for (const task of tasks) {
      gradient(used, task);
      gradient(fresh, task);
      expect(slotOf(arenas[0], task.shard)).toEqual(slotOf(arenas[1], task.shard));
    }
  });

  it('draws other rows and other masks in another step, stage or shard, or from another seed', () => {
    const engine = randomEngine(model, 3);
    const [task] = tasksOf({ ...step, labelledBatch: 0 });
    const others = [
      task!,
      { ...task!, step: 4 },
      { ...task!, stage: 2 },
      { ...task!, shard: 1 },
      { ...task!, seed: 12 },
    ];
    const drawn = others.map((other) => String(drawnBy(engine.arena, other)));
    expect(new Set(drawn).size).toBe(others.length);
    const slots = others.map((other) => {
      gradient(engine, other);
      return String(slotOf(engine.arena, other.shard));
    });
    expect(new Set(slots).size).toBe(others.length);
  });
});
