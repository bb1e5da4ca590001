// Saved models: plain TensorFlow.js predicts with them what a computation by hand gives, and they come back as they were or as E_MODEL.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initialParameters, layoutOf, type Model, modelOf, type Objective } from '../../src/engine/model.js';
import { tensorflow } from '../../src/engine/tensorflow.js';
import { PseudolabelError } from '../../src/errors.js';
import { loadModel, saveModel } from '../../src/modelfile.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pseudolabel-model-'));
});
afterEach(() => rm(folder, { recursive: true }));

const tf = tensorflow();
const meta = { rows: 3, columns: 4, classes: 3 };

/** A model with biases that are not 0. */
function made(objective: Objective, widths: readonly number[], inputDropout = 0.2, dropout: readonly number[] = [0.5]) {
  const model = modelOf(widths, { inputDropout, dropout, objective });
  const parameters = initialParameters(model, 5, 0);
  layoutOf(model).places.forEach(({ bias }, l) => {
    for (let unit = 0; unit < model.layers[l]!.units; unit++) parameters[bias + unit] = Math.cos(3 * l + unit);
  });
  return { model, parameters };
}

const inputs = Array.from({ length: 12 }, (_, i) => ((7 * i) % 12) / 12);

/** The outputs for `inputs`, by hand. */
function predicted(model: Model, parameters: Float32Array): number[] {
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

/** The outputs for `inputs`, by TensorFlow.js. */
function outputsOf(model: LayersModel, shape = [1, 12]): ArrayLike<number> {
  return (model.predict(tf.tensor(inputs, shape)) as Tensor).dataSync();
}

function expectClose(found: ArrayLike<number>, expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(1e-6);
}

async function failureOf(loading: Promise<unknown>): Promise<PseudolabelError> {
  const error: unknown = await loading.then(
    () => expect.fail('it was loaded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PseudolabelError)) throw error;
  expect(error.code).toBe('E_MODEL');
  expect(error.message).toContain(folder);
  return error;
}

/** Changes the text of the model.json in the folder. */
async function edit(change: (json: string) => string): Promise<void> {
  const path = join(folder, 'model.json');
  const before = await readFile(path, 'utf8');
  expect(change(before)).not.toBe(before);
  await writeFile(path, change(before));
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
    expectClose(outputsOf(sequential, [1, 3, 4]), predicted(model, parameters));
  });

  it("loads weights in several files, and a topology in another object, as Keras' converter writes them", async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    await saveModel(folder, model, parameters, meta);
    const weights = await readFile(join(folder, 'weights.bin'));
    await writeFile(join(folder, 'group1-shard1of2.bin'), weights.subarray(0, 101));
    await writeFile(join(folder, 'group1-shard2of2.bin'), weights.subarray(101));
    await edit((text) => {
      const json = JSON.parse(text);
      json.weightsManifest[0].paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
      return JSON.stringify({ ...json, modelTopology: { keras_version: '2.15.0', model_config: json.modelTopology } });
    });
    expect(await loadModel(folder)).toEqual({ model, parameters, meta });
  });

  it('says what of a model it cannot use', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    const cases: [from: string, to: string, reason: string][] = [
      ['"Sequential"', '"Functional"', 'only a Sequential model can be used'],
      ['"Dropout"', '"Conv2D"', 'only Dense, Dropout, Flatten and InputLayer can be used'],
      ['"relu"', '"tanh"', 'layers.1.config.activation'],
      ['"relu"', '"sigmoid"', 'hidden layers must be relu'],
      ['"activation":"softmax"', '"activation":"relu"', 'the last layer must be softmax or sigmoid'],
      ['"activation":"softmax"', '"activation":"sigmoid"', 'it ends in sigmoid where softmax is declared'],
      ['"use_bias":true', '"use_bias":false', 'use_bias'],
      ['"weights.bin"', '"../weights.bin"', 'must be the name of a file in the same folder'],
      ['"dense_1/kernel"', '"other/kernel"', 'it has no weight dense_1/kernel'],
      ['"units":7', '"units":8', 'weight dense_1/kernel is 12 x 7 where 12 x 8 is needed'],
      ['[12,7],"dtype":"float32"', '[12,7],"dtype":"int32"', 'dtype'],
      ['[12,7],', '[12,7],"quantization":{},', 'quantized weights cannot be used'],
      ['"rows":3', '"rows":5', 'it has 12 inputs and 3 outputs where 5 x 4 pixels and 3 classes are declared'],
      ['"weightsSha256":"', '"weightsSha256":"0', 'its weights do not match their checksum'],
      ['{', '', 'JSON'],
    ];
    for (const [from, to, reason] of cases) {
      await saveModel(folder, model, parameters, meta);
      await edit((json) => JSON.stringify(JSON.parse(json)).replace(from, to));
      const { message } = await failureOf(loadModel(folder));
      expect(message).toContain(join(folder, 'model.json'));
      expect(message).toContain(reason);
    }
  });

  it('refuses weights that are missing, cut, too long, damaged, or not finite', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    await saveModel(folder, model, parameters, meta);
    const path = join(folder, 'weights.bin');
    const intact = await readFile(path);
    const after = async (bytes: Uint8Array) => {
      await writeFile(path, bytes);
      return (await failureOf(loadModel(folder))).message;
    };
    expect(await after(intact.subarray(1))).toContain(`1 bytes are missing of ${intact.length}`);
    expect(await after(Buffer.concat([intact, Buffer.alloc(4)]))).toContain(`has ${intact.length + 4} bytes`);
    const changed = Buffer.from(intact);
    changed[100]! ^= 1;
    expect(await after(changed)).toContain('checksum');
    changed.writeFloatLE(Number.NaN, 100);
    expect(await after(changed)).toContain('not finite');
    await rm(path);
    expect((await failureOf(loadModel(folder))).message).toContain(path);
  });

  it('refuses a folder that is not there, or has no model', async () => {
    expect((await failureOf(loadModel(folder))).message).toContain('ENOENT');
    expect((await failureOf(loadModel(join(folder, 'absent')))).message).toContain('ENOENT');
  });

  it('gives the model or E_MODEL when any value of its model.json is another', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    await saveModel(folder, model, parameters, meta);
    const intact = await readFile(join(folder, 'model.json'), 'utf8');
    let count = 0;
    JSON.parse(intact, (_, value: unknown) => {
      count += 1;
      return value;
    });
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: count - 1 }), fc.jsonValue(), async (position, replacement) => {
        let at = 0;
        const changed: unknown = JSON.parse(intact, (_, value: unknown) => (at++ === position ? replacement : value));
        await writeFile(join(folder, 'model.json'), JSON.stringify(changed));
        const outcome: unknown = await loadModel(folder).catch((error: unknown) => error);
        if (outcome instanceof PseudolabelError) expect(outcome.code).toBe('E_MODEL');
        else expect(outcome).toMatchObject({ parameters });
      }),
      { numRuns: 300 },
    );
  });
});
