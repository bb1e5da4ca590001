// The gradient in bf16: against the same passes written down with numbers that are rounded where it rounds them, and against that of floats.
import { describe, expect, it } from 'vitest';
import { DataParallel } from '../../coordinator/strategies/data-parallel.js';
import { TensorParallel } from '../../coordinator/strategies/tensor-parallel.js';
import { type Arena, floats, gradientStride, pseudoLabels } from '../../src/engine/arena.js';
import type { Objective } from '../../src/engine/precision.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf, modelOf, relaid } from '../../src/models/dense/model.js';
import { createEngine } from '../../src/models/engine.js';
import { gradient } from '../../src/models/gradient.js';
import type { GradientTask } from '../../src/models/tasks.js';
import { BF16 } from '../bf16.js';
import { nodeOn } from '../contract/one-thread-executor.js';
import { nearest, valuesOf } from './bfloat.js';
import { randomArena } from './random-arena.js';
import { type Row, reference } from './reference.js';
import { betweenParts, DENOISING, droppedOut, PSEUDO, rowsOf, tasksOf, worstPart } from './shard-task.js';

/** A bfloat16 has 8 bits: the distance between two is at most this share of them. */
const STEP = 2 ** -7;

const network = (
  widths: readonly number[],
  objective: Objective,
  dropout: readonly number[] = [],
  visible = 0,
): DenseModel => {
  return modelOf(widths, { inputDropout: visible, dropout, objective });
};

function gradientBufferOf({ memory, regions, shape }: Arena, shard: number): Float32Array {
  const at = regions.gradientBuffers + shard * gradientStride(shape);
  return valuesOf(new Uint16Array(memory.buffer, at, shape.parameters));
}

const droppedRowsOf = (arena: Arena, task: GradientTask): Row[] => droppedOut(task, rowsOf(arena, task));

/** sum_i a(i) b(i), rounded: the result of a product. */
function dot(n: number, a: (i: number) => number, b: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a(i) * b(i);
  return nearest(Math.fround(sum));
}

/** The gradient of sum_r weight[r] * loss[r], rounded after every product and every pass. Softmax or sigmoid outputs. */
function roundedReference(model: DenseModel, parameters: Float32Array, rows: readonly Row[]): Float32Array {
  const { places, length } = layoutOf(model);
  const weight = (l: number, u: number, i: number) =>
    nearest(parameters[places[l]!.kernel + u * model.layers[l]!.inputs + i]!);
  const last = model.layers.length - 1;
  const result = new Float32Array(length);
  const each = <T>(n: number, of: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => of(i));
  // [row][unit] of each layer's input, and of the outputs' gradient.
  const inputs = [rows.map(({ input }) => Array.from(input, nearest))];
  model.layers.forEach(({ inputs: n, units }, l) => {
    inputs.push(
      rows.map(({ factors }, r) =>
        each(units, (u) => {
          const z = dot(
            n,
            (i) => weight(l, u, i),
            (i) => inputs[l]![r]![i]!,
          );
          if (l === last) return Math.fround(z + parameters[places[l]!.bias + u]!);
          return nearest(Math.fround(Math.max(z + parameters[places[l]!.bias + u]!, 0) * (factors?.[l]?.[u] ?? 1)));
        }),
      ),
    );
  });
  let exact = inputs[last + 1]!.map((logits, r) => {
    const most = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
    const outputs = logits.map((logit) =>
      model.objective === 'softmax' ? Math.exp(logit - most) / sum : 1 / (1 + Math.exp(-logit)),
    );
    return outputs.map((output, c) => rows[r]!.weight * (output - rows[r]!.target[c]!));
  });
  for (let l = last; l >= 0; l--) {
    const { inputs: n, units } = model.layers[l]!;
    const dz = exact.map((row) => row.map((value) => nearest(Math.fround(value))));
    for (let u = 0; u < units; u++) {
      result[places[l]!.bias + u] = nearest(Math.fround(exact.reduce((sum, row) => sum + row[u]!, 0)));
      for (let i = 0; i < n; i++) {
        result[places[l]!.kernel + u * n + i] = dot(
          rows.length,
          (r) => dz[r]![u]!,
          (r) => inputs[l]![r]![i]!,
        );
      }
    }
    if (l === 0) break;
    const scale = 1 / (1 - model.layers[l - 1]!.dropout);
    exact = rows.map((_, r) =>
      each(n, (i) =>
        inputs[l]![r]![i]! > 0
          ? dot(
              units,
              (u) => weight(l, u, i),
              (u) => dz[r]![u]!,
            ) * scale
          : 0,
      ),
    );
  }
  return result;
}

const NETWORKS: [string, DenseModel][] = [
  ['softmax', network([20, 24, 3], 'softmax')],
  ['softmax with dropout', network([20, 24, 3], 'softmax', [0.5], 0.2)],
  ['sigmoid with dropout', network([20, 40, 3], 'sigmoid', [0.5], 0.2)],
  ['three layers, one of more units than a block', network([16, 1400, 24, 4], 'softmax', [0.5, 0])],
  ['an odd number of inputs', network([21, 24, 3], 'softmax', [0.5], 0.2)],
  ['an autoencoder', network([20, 24, 16, 8, 24, 20], 'reconstruction', [0.5, 0, 0, 0.3])],
];

const IN_BF16 = BF16.flatMap((precision) => {
  return NETWORKS.map(([name, model]) => [precision, name, { ...model, precision }] as const);
});

describe.each(IN_BF16)('the gradient in %s: %s', (_, __, model) => {
  const arena = randomArena(model, 2);
  const engine = createEngine(arena);
  const parameters = floats(arena, 'parameters', arena.shape.parameters).slice();
  const isReconstruction = model.objective === 'reconstruction';
  const step = isReconstruction
    ? { labelledBatch: 0, unlabelled: DENOISING }
    : { labelledBatch: 5, unlabelled: PSEUDO };
  const tasks = tasksOf({ model, shards: 2, ...step });

  it('is that of the same products of rounded numbers, but for the last bit of a few', () => {
    for (const task of tasks) {
      const expected = roundedReference(model, parameters, droppedRowsOf(arena, task));
      expect(gradient(engine, task).finite).toBe(true);
      const found = gradientBufferOf(arena, task.shard);
      expect(worstPart(model, found, expected)).toBeLessThan(STEP);
      const same = found.filter((value, i) => value === expected[i]).length;
      expect(same / found.length).toBeGreaterThan(0.9);
    }
  });

  it('has 0 between its parts', () => {
    new Uint16Array(arena.memory.buffer, arena.regions.gradientBuffers, arena.shape.parameters).fill(9);
    gradient(engine, tasks[0]!);
    expect(betweenParts(model, gradientBufferOf(arena, 0)).every((value) => value === 0)).toBe(true);
  });
});

describe.each(BF16)('the gradient in %s of many units', (precision) => {
  it.each(['softmax', 'sigmoid'] as const)('is that of floats within 4 steps of bfloat16: %s', (objective) => {
    const model = { ...network([20, 2000, 3], objective, [0.5], 0.2), precision };
    const arena = randomArena(model, 1);
    const [task] = tasksOf({ model, shards: 1, labelledBatch: 20, unlabelled: PSEUDO });
    const f32 = { ...model, precision: 'f32' } as const;
    const parameters = relaid(floats(arena, 'parameters', arena.shape.parameters), model, 'f32');
    const expected = relaid(reference(f32, parameters, droppedRowsOf(arena, task!)).gradient, f32, 'bf16');
    gradient(createEngine(arena), task!);
    // Of the whole: where a unit's input is near 0, one may count a row and the other not.
    const found = gradientBufferOf(arena, 0);
    const norm = (of: (i: number) => number) => Math.sqrt(expected.reduce((sum, _, i) => sum + of(i) ** 2, 0));
    const distance = norm((i) => found[i]! - expected[i]!) / norm((i) => expected[i]!);
    expect(distance).toBeLessThan(4 * STEP);
  });
});

describe.each(BF16)('a step in %s tensor parallel', (precision) => {
  it.each([
    [90, 1],
    [90, 3],
    [2600, 2],
  ])('of %i units in %i slices has the gradient of the same rows and masks', async (hidden, shards) => {
    const dropout = shards === 1 ? 0.5 : 0;
    const model = { ...network([20, hidden, 3], 'softmax', [dropout], dropout && 0.2), precision };
    const arena = randomArena(model, shards);
    const node = nodeOn(createEngine(arena));
    const [task] = tasksOf({ model, shards: 1, labelledBatch: 5, unlabelled: PSEUDO });
    const { unlabelled } = arena.shape;
    const stored = {
      classes: pseudoLabels(arena).slice(),
      confidences: floats(arena, 'confidences', unlabelled).slice(),
    };
    // Leaves the gradient, from bfloat16, as the first moment, and the parameters as they are.
    const optimizer = { kind: 'momentum', a: 0, b: 1, c: 0 } as const;
    const found = () => floats(arena, 'firstMoment', layoutOf(model).length).slice();
    const byRows = await new DataParallel(node, shards).step({ ...task!, optimizer });
    const expected = found();
    const byTensorShards = await new TensorParallel(node, shards, unlabelled).step({ ...task!, optimizer }, stored);
    // Logits are sums of products here, each rounded, and there one product.
    expect(worstPart(model, found(), expected)).toBeLessThan(4 * STEP);
    expect(byTensorShards.counted).toBe(byRows.counted);
    expect(Math.abs(byTensorShards.labelledLoss - byRows.labelledLoss)).toBeLessThan(STEP * byRows.labelledLoss);
  });
});
