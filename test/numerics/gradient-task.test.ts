// Tests a gradient task: what it returns, where it writes, and that the same task has the same bits.
import { describe, expect, it } from 'vitest';
import { workspaceStart } from '../../src/engine/arena.js';
import { modelOf } from '../../src/models/dense/model.js';
import { createEngine, type Engine } from '../../src/models/engine.js';
import { gradient } from '../../src/models/gradient.js';
import { MOST_ROWS, randomArena, randomEngine } from './random-arena.js';
import { reference } from './reference.js';
import {
  betweenParts,
  DENOISING,
  drawnBy,
  droppedOut,
  gradientBufferOf,
  labelledRowsOf,
  PSEUDO,
  parametersOf,
  pseudoRowsOf,
  rowsOf,
  tasksOf,
} from './shard-task.js';

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
    const autoencoder = modelOf([20, 24, 20], { inputDropout: 0, dropout: [], objective: 'reconstruction' });
    const engine = randomEngine(autoencoder, 1);
    const [task] = tasksOf({ model: autoencoder, shards: 1, labelledBatch: 0, unlabelled: DENOISING });
    const { losses } = reference(autoencoder, parametersOf(engine.arena), rowsOf(engine.arena, task!));
    const { unlabelledLoss } = gradient(engine, task!);
    expect(unlabelledLoss).toBeCloseTo(
      losses.reduce((total, loss) => total + loss / 20, 0),
      4,
    );
  });

  it('leaves 0 in the gradient buffer of a shard without rows', () => {
    const engine = randomEngine(model, 5);
    const tasks = tasksOf({ model, shards: 5, labelledBatch: 0, unlabelled: { ...PSEUDO, batch: 3 } });
    const results = tasks.map((task) => gradient(engine, task));
    expect(results.map(({ rows }) => rows)).toEqual([0, 1, 0, 1, 1]);
    for (const shard of [0, 2]) {
      expect(results[shard]).toMatchObject({ labelledLoss: 0, unlabelledLoss: 0, counted: 0, finite: true });
      expect(gradientBufferOf(engine.arena, shard).every((value) => value === 0)).toBe(true);
    }
  });

  it('leaves 0 between the parts of its gradient buffer, whatever an earlier model left there', () => {
    const engine = randomEngine(model, 3);
    const [task] = tasksOf(step);
    gradient(engine, task!);
    expect(betweenParts(model, gradientBufferOf(engine.arena, 0)).every((value) => value === 0)).toBe(true);
  });

  it('writes to its own gradient buffer and workspace only, also when it fills them', () => {
    const engine = randomEngine(model, 2);
    const { arena } = engine;
    const unlabelled = { ...PSEUDO, batch: 88, pseudoLabels: 'fresh' } as const;
    const [, task] = tasksOf({ model, shards: 2, labelledBatch: 40, unlabelled });
    const before = new Uint8Array(arena.memory.buffer).slice();
    expect(gradient(engine, task!).rows).toBe(MOST_ROWS);
    const gradientBuffer = gradientBufferOf(arena, 1);
    const own = [
      [gradientBuffer.byteOffset, gradientBuffer.byteOffset + gradientBuffer.byteLength],
      [workspaceStart(arena, 0), workspaceStart(arena, 1)],
    ] as const;
    const after = new Uint8Array(arena.memory.buffer);
    for (const [start, end] of own) {
      expect(after.subarray(start, end).some((byte, i) => byte !== before[start + i])).toBe(true);
      before.set(after.subarray(start, end), start);
    }
    // This is also true of the word that says how far its gradient buffer has been written.
    const word = arena.regions.progress + 4;
    before.set(after.subarray(word, word + 4), word);
    expect(Buffer.compare(before, after)).toBe(0);
  });

  it('gives the same bits again, also by an engine that has never computed and in a workspace full of something else', () => {
    const arenas = [randomArena(model, 3, 1), randomArena(model, 3, 1)] as const;
    const [used, fresh] = arenas.map((arena) => createEngine(arena)) as [Engine, Engine];
    const tasks = tasksOf({ ...step, unlabelled: { ...PSEUDO, pseudoLabels: 'fresh' } });
    for (const task of [...tasks, ...tasksOf({ ...step, labelledBatch: 20 })]) gradient(used, task);
    for (const task of tasks) {
      gradient(used, task);
      gradient(fresh, task);
      expect(gradientBufferOf(arenas[0], task.shard)).toEqual(gradientBufferOf(arenas[1], task.shard));
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
    const gradientBuffers = others.map((other) => {
      gradient(engine, other);
      return String(gradientBufferOf(engine.arena, other.shard));
    });
    expect(new Set(gradientBuffers).size).toBe(others.length);
  });
});
