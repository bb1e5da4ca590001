// Tests saved models. Plain TensorFlow.js predicts with them what a computation by hand gives, and they are read back
// unchanged.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { loadModel, saveModel } from '../../src/models/saved-model.js';
import { denseOf } from '../dense.js';
import { folderOfTest } from '../folders.js';
import { tensorflow } from '../tensorflow.js';
import { edit, made, meta } from './models.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('model');
});

const tf = tensorflow();
const inputs = Array.from({ length: 12 }, (_, i) => ((7 * i) % 12) / 12);

/** Computes the outputs for `inputs` by hand. */
function predicted(model: DenseModel, parameters: Float32Array): number[] {
  let values = inputs;
  model.layers.forEach((layer, l) => {
    const { kernel, bias } = layoutOf(model).places[l]!;
    const sums = Array.from({ length: layer.units }, (_, unit) =>
      values.reduce(
        (sum, value, i) => sum + value * parameters[kernel + unit * layer.inputs + i]!,
        parameters[bias + unit]!,
      ),
    );
    const exponentials = sums.map(Math.exp);
    const total = exponentials.reduce((a, b) => a + b);
    if (l < model.layers.length - 1) values = sums.map((sum) => Math.max(0, sum));
    else if (model.objective === 'softmax') values = exponentials.map((each) => each / total);
    else values = sums.map((sum) => 1 / (1 + Math.exp(-sum)));
  });
  return values;
}

/** Computes the outputs for `inputs` with TensorFlow.js. */
function outputsOf(model: LayersModel, shape = [1, 12]): ArrayLike<number> {
  return (model.predict(tf.tensor(inputs, shape)) as Tensor).dataSync();
}

function expectClose(found: ArrayLike<number>, expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(1e-6);
}

describe('saveModel', () => {
  for (const objective of ['softmax', 'sigmoid', 'reconstruction'] as const) {
    it(`saves a model trained for ${objective} that TensorFlow.js loads and predicts the same with`, async () => {
      const { model, parameters } = made(objective, [12, 7, objective === 'reconstruction' ? 12 : 3]);
      await saveModel(folder, model, parameters, meta);
      const loaded = await tf.loadLayersModel(`file://${folder}/model.json`);
      expectClose(outputsOf(loaded), predicted(model, parameters));
    });
  }

  it('says in model.json what goes in and what comes out, and by what names (case 23)', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    await saveModel(folder, model, parameters, meta);
    const { userDefinedMetadata } = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
    expect(userDefinedMetadata.pseudolabel).toMatchObject({
      ...meta,
      input: expect.stringMatching(/\[n, 12\].*3 x 4 pixels.*row by row.*from 0 to 1/),
      output: expect.stringMatching(/\[n, 3\].*order of classNames/),
    });
    await edit(folder, (json) => json.replace('"x"', '"3"'));
    await expect(loadModel(folder)).rejects.toMatchObject({ code: 'E_MODEL' });
  });

  it('saves deeper models, and models without dropout', async () => {
    for (const { model, parameters } of [
      made('softmax', [12, 9, 8, 7, 3], 0, [0.1, 0, 0.3]),
      made('sigmoid', [12, 3], 0),
    ]) {
      await saveModel(folder, model, parameters, meta);
      const loaded = await tf.loadLayersModel(`file://${folder}/model.json`);
      expectClose(outputsOf(loaded), predicted(model, parameters));
      expect(await loadModel(folder)).toEqual({ model, parameters, meta });
    }
  });

  it('saves dropout that TensorFlow.js would train with', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3], 0.25, [0.5]);
    await saveModel(folder, model, parameters, meta);
    const loaded = await tf.loadLayersModel(`file://${folder}/model.json`);
    const rates = loaded.layers.map((layer) => [layer.getClassName(), layer.getConfig().rate]);
    expect(rates).toEqual([
      ['Dropout', 0.25],
      ['Dense', undefined],
      ['Dropout', 0.5],
      ['Dense', undefined],
    ]);
  });
});

describe('loadModel', () => {
  it('gives back what was saved', async () => {
    for (const objective of ['softmax', 'sigmoid', 'reconstruction'] as const) {
      const { model, parameters } = made(objective, [12, 7, objective === 'reconstruction' ? 12 : 3]);
      await saveModel(folder, model, parameters, meta);
      expect(await loadModel(folder)).toEqual({ model, parameters, meta });
    }
  });

  it('loads a model that TensorFlow.js made', async () => {
    const { dense, dropout, flatten, inputLayer } = tf.layers;
    const biasInitializer = 'randomNormal';
    const sequential = tf.sequential({
      layers: [
        inputLayer({ inputShape: [3, 4] }),
        flatten(),
        dropout({ rate: 0.1 }),
        dense({ units: 7, activation: 'relu', biasInitializer }),
        dropout({ rate: 0.3 }),
        dense({ units: 3, activation: 'sigmoid', biasInitializer }),
      ],
    });
    await sequential.save(`file://${folder}`);
    const { model, parameters, meta: unknown } = await loadModel(folder);
    expect(unknown).toBeUndefined();
    expect(model).toEqual(modelOf([12, 7, 3], { inputDropout: 0.1, dropout: [0.3], objective: 'sigmoid' }));
    expectClose(outputsOf(sequential, [1, 3, 4]), predicted(denseOf(model), parameters));
  });

  it("loads weights in several files, and a topology in another object, as Keras' converter writes them", async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    await saveModel(folder, model, parameters, meta);
    const weights = await readFile(join(folder, 'weights.bin'));
    await writeFile(join(folder, 'group1-shard1of2.bin'), weights.subarray(0, 101));
    await writeFile(join(folder, 'group1-shard2of2.bin'), weights.subarray(101));
    await edit(folder, (text) => {
      const json = JSON.parse(text);
      json.weightsManifest[0].paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
      return JSON.stringify({ ...json, modelTopology: { keras_version: '2.15.0', model_config: json.modelTopology } });
    });
    expect(await loadModel(folder)).toEqual({ model, parameters, meta });
  });
});
