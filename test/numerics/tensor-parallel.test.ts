// Tests tensor-parallel steps of a classifier against tfjs' automatic differentiation of the same loss, and against
// data-parallel training of the same step.
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import type { UnlabelledRows } from '../../src/methods/method.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import type { Objective } from '../../src/models/objective.js';
import { softmax } from './logits.js';
import { randomParameters } from './random-arena.js';
import { reference } from './reference.js';
import { oneHot, PSEUDO, worstPart } from './shard-task.js';
import { droppedOut, setting, TOLERANCE } from './tensor-step.js';

const network = (hidden: number, objective: Objective, dropout = 0): DenseModel =>
  modelOf([20, hidden, 3], { inputDropout: dropout && 0.2, dropout: [dropout], objective });

describe('a tensor-parallel step, without dropout', () => {
  it.each([1, 2, 3, 5])(
    'has the gradient of the whole step in %i tensor shards, and the losses of data-parallel',
    async (shards) => {
      for (const objective of ['softmax', 'sigmoid'] as const) {
        const model = network(90, objective);
        const unlabelled = { ...PSEUDO, settings: { threshold: 0.3 } };
        const { arena, rows, gradient, byTensorShards, byRows } = setting({
          model,
          shards,
          labelledBatch: 4,
          unlabelled,
        });
        const expected = reference(model, randomParameters(model, 1), [...rows.labelled, ...rows.unlabelled]).gradient;
        const outcome = await byTensorShards();
        expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
        expect(floats(arena, 'parameters', arena.shape.parameterCount)).toEqual(randomParameters(model, 1));
        const { loss, labelledLoss, unlabelledLoss, ...counts } = await byRows();
        expect(outcome).toMatchObject(counts);
        expect(outcome.loss).toBeCloseTo(loss, 5);
        expect(outcome.counted).toBeLessThan(13);
        expect(outcome.labelledLoss).toBeCloseTo(labelledLoss, 5);
        expect(outcome.unlabelledLoss).toBeCloseTo(unlabelledLoss, 5);
      }
    },
  );

  it.each([
    ['only labelled rows', 9, undefined],
    ['only pseudo-labelled rows', 0, PSEUDO],
  ] as const)('has the gradient of %s', async (_, labelledBatch, unlabelled) => {
    const model = network(48, 'softmax');
    const { rows, gradient, byTensorShards } = setting({ model, shards: 2, labelledBatch, unlabelled });
    const expected = reference(model, randomParameters(model, 1), [...rows.labelled, ...rows.unlabelled]).gradient;
    await byTensorShards();
    expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
  });

  it('has that of tensor shards of more units than fit a tile', async () => {
    const model = network(1400, 'softmax');
    const { rows, gradient, byTensorShards } = setting({ model, shards: 2, labelledBatch: 5, unlabelled: PSEUDO });
    const expected = reference(model, randomParameters(model, 1), [...rows.labelled, ...rows.unlabelled]).gradient;
    await byTensorShards();
    expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
  });
});

describe('a tensor-parallel step, with dropout', () => {
  it.each([
    [24, 'softmax', 2],
    [90, 'sigmoid', 3],
    [1400, 'softmax', 2],
  ] as const)(
    'has the gradient of masks that every tensor shard draws for its own of %i units',
    async (hidden, objective, shards) => {
      const model = network(hidden, objective, 0.5);
      const { rows, gradient, byTensorShards } = setting({ model, shards, labelledBatch: 5, unlabelled: PSEUDO });
      const dropped = droppedOut(model, shards, [...rows.labelled, ...rows.unlabelled]);
      const expected = reference(model, randomParameters(model, 1), dropped).gradient;
      await byTensorShards();
      expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
    },
  );

  it('is data-parallel with one shard: the same rows and the same masks', async () => {
    const model = network(90, 'softmax', 0.5);
    const logitShift = Float32Array.of(0.4, -0.9, 0.6);
    for (const unlabelled of [PSEUDO, { ...PSEUDO, pseudoLabels: 'fresh', logitShift } as const]) {
      const { gradient, byTensorShards, byRows } = setting({ model, shards: 1, labelledBatch: 5, unlabelled });
      const { labelledLoss, unlabelledLoss, counted, statistics } = await byRows();
      const expected = gradient();
      const outcome = await byTensorShards();
      expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
      expect(outcome.counted).toBe(counted);
      expect(outcome.labelledLoss).toBeCloseTo(labelledLoss, 5);
      expect(outcome.unlabelledLoss).toBeCloseTo(unlabelledLoss, 5);
      expect(outcome.statistics).toHaveLength(statistics.length);
      for (const [c, mass] of statistics.entries()) expect(outcome.statistics[c]).toBeCloseTo(mass, 4);
    }
  });
});

describe('fresh pseudo-labels of a tensor-parallel step', () => {
  const argmax = (values: readonly number[]): number => values.indexOf(Math.max(...values));

  it.each([
    ['as predicted', undefined],
    ['balanced', Float32Array.of(0.4, -0.9, 0.6)],
  ])('are those of the parameters as they are, without dropout: %s', async (_, logitShift) => {
    const model = network(90, 'softmax', 0.5);
    const shards = 3;
    const fresh: UnlabelledRows = { ...PSEUDO, pseudoLabels: 'fresh', logitShift };
    const { rows } = setting({ model, shards, labelledBatch: 5, unlabelled: fresh });
    const parameters = randomParameters(model, 1);
    const { logits } = reference(model, parameters, rows.unlabelled);
    const shifted = rows.unlabelled.map((_, r) =>
      softmax([0, 1, 2].map((c) => logits[3 * r + c]! + (logitShift?.[c] ?? 0))),
    );
    const confidences = shifted.map((shares) => Math.max(...shares));
    const [low, high] = confidences.toSorted().slice(5) as [number, number];
    const relabelled = shifted.map((shares, r) => ({
      ...rows.unlabelled[r]!,
      target: oneHot(argmax(shares), 3),
      weight: confidences[r]! >= high ? 0.7 / 13 : 0,
    }));
    const threshold = (low + high) / 2;
    const { gradient, byTensorShards } = setting({
      model,
      shards,
      labelledBatch: 5,
      unlabelled: { ...fresh, settings: { threshold } },
    });
    expect((await byTensorShards()).counted).toBe(13 - 6);
    const dropped = droppedOut(model, shards, [...rows.labelled, ...relabelled]);
    expect(worstPart(model, gradient(), reference(model, parameters, dropped).gradient)).toBeLessThan(TOLERANCE);
  });
});

describe('a tensor-parallel step that is not finite', () => {
  it.each([
    ['a weight below', 0, 'kernel'],
    ['a bias', 0, 'bias'],
    ['a weight above', 1, 'kernel'],
  ] as const)('throws before anything is updated: %s', async (_, layer, part) => {
    const model = network(90, 'softmax', 0);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
      const { arena, byTensorShards } = setting({ model, shards: 2, labelledBatch: 5, unlabelled: PSEUDO });
      const parameters = floats(arena, 'parameters', arena.shape.parameterCount);
      parameters[layoutOf(model).places[layer]![part] + 5] = value;
      const before = new Uint32Array(parameters.slice().buffer);
      await expect(byTensorShards()).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
      expect(new Uint32Array(parameters.slice().buffer)).toEqual(before);
    }
  });
});
