// Tests tensor-parallel steps of an autoencoder against tfjs' automatic differentiation of the same loss, and against
// data-parallel training of the same step.
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { randomParameters } from './random-arena.js';
import { reference } from './reference.js';
import { DENOISING, worstPart } from './shard-task.js';
import { droppedOut, setting, TOLERANCE } from './tensor-step.js';

const autoencoder = (widths: readonly number[], dropout: readonly number[] = [], inputDropout = 0): DenseModel =>
  modelOf(widths, { inputDropout, dropout, objective: 'reconstruction' });

const SHALLOW = [20, 90, 20];
const ONE_NARROW = [20, 60, 5, 70, 20];
/** A network with padding between the parameters of its middle. */
const DEEP = [20, 70, 9, 5, 6, 90, 20];
/** A network with more units than fit a block, and more outputs than are updated at a time. */
const LARGE = [33, 1400, 7, 1300, 33];

const steps = (model: DenseModel, shards: number, noise = 0) =>
  setting({ model, shards, labelledBatch: 0, unlabelled: { ...DENOISING, noise } });

describe('a reconstruction tensor parallel', () => {
  it.each([
    [SHALLOW, 1],
    [SHALLOW, 3],
    [ONE_NARROW, 2],
    [DEEP, 1],
    [DEEP, 2],
    [DEEP, 4],
    [LARGE, 2],
  ])(
    'by %j in %i tensor shards has the gradient of the whole step, and changes nothing else',
    async (widths, shards) => {
      const model = autoencoder(widths);
      const { arena, rows, gradient, byTensorShards } = steps(model, shards);
      const expected = reference(model, randomParameters(model, 1), rows.unlabelled).gradient;
      await byTensorShards();
      expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
      expect(floats(arena, 'parameters', arena.shape.parameterCount)).toEqual(randomParameters(model, 1));
      const isParameter = new Uint8Array(arena.shape.parameterCount);
      model.layers.forEach(({ units, inputs }, l) => {
        const { kernel, bias } = layoutOf(model).places[l]!;
        isParameter.fill(1, kernel, kernel + units * inputs).fill(1, bias, bias + units);
      });
      expect(gradient().every((value, i) => isParameter[i] === 1 || value === 0)).toBe(true);
    },
  );

  it.each([
    [SHALLOW, 3],
    [DEEP, 1],
    [DEEP, 3],
  ])(
    'by %j in %i tensor shards is that of the clean image from the noisy one, as data parallel, with the same losses',
    async (widths, shards) => {
      const model = autoencoder(widths);
      const { gradient, byTensorShards, byRows } = steps(model, shards, 0.5);
      const { loss, unlabelledLoss, ...counts } = await byRows();
      const expected = gradient();
      const outcome = await byTensorShards();
      expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
      expect(outcome).toMatchObject(counts);
      expect(outcome.loss).toBeCloseTo(loss, 5);
      expect(outcome.unlabelledLoss).toBeCloseTo(unlabelledLoss, 5);
    },
  );

  it.each([
    [SHALLOW, [0.5], 1],
    [SHALLOW, [0.5], 2],
    [DEEP, [0.5, 0, 0, 0, 0.5], 2],
    [DEEP, [0.5, 0.3, 0, 0.2, 0.5], 3],
  ])(
    'by %j with dropout %j in %i tensor shards has masks that every tensor shard draws for its own units',
    async (widths, dropout, shards) => {
      const model = autoencoder(widths, dropout, 0.2);
      const { rows, gradient, byTensorShards } = steps(model, shards);
      const expected = reference(
        model,
        randomParameters(model, 1),
        droppedOut(model, shards, rows.unlabelled),
      ).gradient;
      await byTensorShards();
      expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
    },
  );

  it('is data-parallel with one shard: the same rows, the same noise and the same masks', async () => {
    const model = autoencoder(DEEP, [0.5, 0.3, 0, 0.2, 0.5]);
    const { gradient, byTensorShards, byRows } = steps(model, 1, 0.5);
    await byRows();
    const expected = gradient();
    await byTensorShards();
    expect(worstPart(model, gradient(), expected)).toBeLessThan(TOLERANCE);
  });

  it.each([0, 1, 2, 3, 4, 5] as const)(
    'that is not finite throws before anything is updated: layer %i',
    async (layer) => {
      const model = autoencoder(DEEP);
      for (const part of ['kernel', 'bias'] as const) {
        // A large logit has a finite loss and a gradient of 0 or 1.
        const large = layer === 5 && part === 'bias' ? [] : [3e38];
        for (const value of [Number.NaN, Number.POSITIVE_INFINITY, ...large]) {
          const { arena, byTensorShards } = steps(model, 2);
          const parameters = floats(arena, 'parameters', arena.shape.parameterCount);
          const { [part]: first } = layoutOf(model).places[layer]!;
          parameters.fill(value, first, first + (part === 'kernel' ? model.layers[layer]!.inputs : 1));
          const before = new Uint32Array(parameters.slice().buffer);
          await expect(byTensorShards()).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
          expect(new Uint32Array(parameters.slice().buffer)).toEqual(before);
        }
      }
    },
  );
});
