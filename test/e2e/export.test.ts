// Tests models in other programs' formats. Keras and ONNX Runtime give the outputs of TensorFlow.js, and Keras' files
// can be read.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { networkFor } from '../../coordinator/runs/network.js';
import { datasetOf } from '../../src/data/dataset.js';

import { EXPORT_FORMAT_NAMES } from '../../src/export/formats.js';
import { modelOf } from '../../src/models/dense/model.js';
import { describe as describeLayers } from '../../src/models/layers/describe.js';
import { offsetsOf, sizeOf } from '../../src/models/layers/model.js';
import { tensorFlow } from '../../src/models/layers/tensorflow.js';
import { toLayersModel } from '../../src/models/layers-model.js';
import type { Model } from '../../src/models/model.js';
import { initialParameters } from '../../src/models/models.js';
import { loadModel, type SavedModel, saveModel } from '../../src/models/saved-model.js';
import { normalise } from '../../src/training/config.js';
import { failureOf } from '../failure.js';
import { folderOfFile } from '../folders.js';
import { storeOf } from '../images.js';
import { installKeras, python } from '../keras.js';
import { expectError, pseudolabel } from './command.js';

const root = folderOfFile('export');

const IMAGE = [12, 12, 2] as const;
const meta = { rows: 12, columns: 12, channels: 2, classes: 5, classNames: undefined, data: undefined };

const layer = (class_name: string, config: Record<string, unknown>, from?: readonly string[]) => ({
  class_name,
  config: { trainable: true, ...config },
  name: String(config.name),
  ...(from && { inbound_nodes: from.length === 0 ? [] : [from.map((name) => [name, 0, 0, {}])] }),
});
const conv = (name: string, more: object) => ({ name, filters: 4, kernel_size: [3, 3], use_bias: true, ...more });
const SEQUENTIAL = {
  class_name: 'Sequential',
  config: {
    name: 'kinds',
    layers: [
      layer('Rescaling', { name: 'scale', scale: 2, offset: -1, batch_input_shape: [null, ...IMAGE] }),
      layer('ZeroPadding2D', {
        name: 'pad',
        padding: [
          [1, 0],
          [0, 2],
        ],
      }),
      layer('Conv2D', conv('c1', { strides: [2, 2], padding: 'same', activation: 'swish' })),
      layer('BatchNormalization', { name: 'b1', momentum: 0.9, epsilon: 1e-3 }),
      layer('DepthwiseConv2D', { name: 'd1', kernel_size: [3, 3], depth_multiplier: 2, padding: 'same' }),
      layer('LeakyReLU', { name: 'l1', alpha: 0.2 }),
      layer('SeparableConv2D', conv('s1', { padding: 'same', activation: 'relu' })),
      layer('AveragePooling2D', { name: 'p1', pool_size: [2, 2], padding: 'same' }),
      layer('Dropout', { name: 'drop', rate: 0.5 }),
      layer('LayerNormalization', { name: 'n1', epsilon: 1e-3 }),
      layer('Flatten', { name: 'flat' }),
      layer('Dense', { name: 'h', units: 6, activation: 'elu', use_bias: true }),
      layer('Dense', { name: 'out', units: 5, activation: 'softmax', use_bias: true }),
    ],
  },
};
const FUNCTIONAL = {
  class_name: 'Model',
  config: {
    name: 'residual',
    layers: [
      layer('InputLayer', { name: 'in', batch_input_shape: [null, ...IMAGE], dtype: 'float32', sparse: false }, []),
      layer('Conv2D', conv('a', { padding: 'same', activation: 'relu' }), ['in']),
      layer('Conv2D', conv('b', { padding: 'same' }), ['a']),
      layer('Add', { name: 'sum' }, ['b', 'a']),
      layer('ReLU', { name: 'relu' }, ['sum']),
      layer('MaxPooling2D', { name: 'pool', pool_size: [2, 2] }, ['relu']),
      layer('GlobalAveragePooling2D', { name: 'mean' }, ['pool']),
      layer('GlobalMaxPooling2D', { name: 'most' }, ['pool']),
      layer('Concatenate', { name: 'both', axis: -1 }, ['mean', 'most']),
      layer('Dense', { name: 'end', units: 5, activation: 'softmax', use_bias: true }, ['both']),
    ],
    input_layers: [['in', 0, 0]],
    output_layers: [['end', 0, 0]],
  },
};

/** Two scripts: one prints a file's outputs for rows of floats in another file, the other lets Keras make files. */
const PREDICT = `
import sys, json, numpy
path, images, shape = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
x = numpy.fromfile(images, dtype='float32').reshape([-1] + shape)
if path.endswith('.keras'):
  import keras
  y = keras.saving.load_model(path).predict(x, verbose=0)
else:
  import onnxruntime
  session = onnxruntime.InferenceSession(path)
  y = session.run(None, {session.get_inputs()[0].name: x})[0]
print(json.dumps(y.tolist()))
`;
const MAKE = `
import sys, json, numpy, keras
from keras import layers
keras.utils.set_random_seed(3)
path, images = sys.argv[1], sys.argv[2]
i = keras.Input((12, 12, 2))
a = layers.Conv2D(4, 3, padding='same', activation='silu')(i)
b = layers.BatchNormalization()(layers.Conv2D(4, 3, padding='same')(a))
c = layers.MaxPooling2D()(layers.LeakyReLU(negative_slope=0.1)(layers.add([a, b])))
d = layers.Dropout(0.3)(layers.Flatten()(c))
model = keras.Model(i, layers.Dense(5, activation='softmax')(d))
x = numpy.fromfile(images, dtype='float32').reshape([-1, 12, 12, 2])
model.compile('adam', 'sparse_categorical_crossentropy')
model.fit(x, numpy.arange(len(x)) % 5, epochs=3, verbose=0)
model.save(path)
print(json.dumps(model.predict(x, verbose=0).tolist()))
`;

/** A model with statistics and biases that are not as they begin. */
async function saved(folder: string, model: Model): Promise<SavedModel> {
  const parameters = initialParameters(model, 3, 0);
  if (model.kind === 'layers') {
    const offsets = offsetsOf(model);
    for (const [w, { shape }] of model.weights.entries())
      for (let i = offsets[w]!; i < offsets[w]! + sizeOf(shape); i++) parameters[i]! += 0.05 * (1 + Math.cos(i));
  }
  await saveModel(folder, model, parameters, meta);
  return loadModel(folder);
}

async function outputsOf(model: SavedModel, images: Float32Array, shape: readonly number[]): Promise<number[][]> {
  const loaded = await toLayersModel(model);
  const x = tensorFlow().tensor(images, [images.length / 288, ...shape]);
  return (loaded.predict(x) as ReturnType<ReturnType<typeof tensorFlow>['zeros']>).arraySync() as number[][];
}

const IMAGES = Float32Array.from({ length: 7 * 288 }, (_, i) => ((i * 7919) % 256) / 255);

function expectClose(found: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  expect(found.length).toBe(expected.length);
  for (const [r, row] of expected.entries())
    for (const [c, value] of row.entries()) expect(found[r]![c]).toBeCloseTo(value, 5);
}

describe.each([
  ['of layers one after the other', () => describeLayers(SEQUENTIAL), IMAGE],
  ['that branches', () => describeLayers(FUNCTIONAL), IMAGE],
  [
    'of dense layers',
    async () => modelOf([288, 32, 16, 5], { inputDropout: 0.1, dropout: [0.2, 0.5], objective: 'softmax' }),
    [288],
  ],
] as const)('a model %s', (name, make, shape) => {
  it('gives the same outputs in Keras and ONNX Runtime as in TensorFlow.js', async ({ skip }) => {
    const reason = await installKeras();
    if (reason !== undefined) return skip(reason);
    const folder = join(root, name.replaceAll(' ', '-'));
    const model = await saved(folder, (await make()) as Model);
    const images = join(root, `${shape.length}.bin`);
    await writeFile(images, IMAGES);
    const expected = await outputsOf(model, IMAGES, shape);
    for (const end of ['keras', 'onnx']) {
      const path = `${folder}.${end}`;
      expect((await pseudolabel('export', folder, path)).exit).toBe(0);
      expectClose(await python(PREDICT, path, images, JSON.stringify(shape)), expected);
    }
  });

  it('has its weights by their names in a safetensors file', async () => {
    const folder = join(root, `tensors-of-a-model-${name.replaceAll(' ', '-')}`);
    await saved(folder, (await make()) as Model);
    const path = `${folder}.bin`;
    expect((await pseudolabel('export', folder, path, '--to', 'safetensors')).exit).toBe(0);
    const bytes = await readFile(path);
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    expect(start % 8).toBe(0);
    const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.toString('utf8', 8, start));
    const { weightsManifest, modelTopology } = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
    expect(JSON.parse(metadata.topology)).toEqual(modelTopology);
    const weights = await readFile(join(folder, 'weights.bin'));
    const listed = weightsManifest[0].weights as { readonly name: string; readonly shape: number[] }[];
    expect(Object.keys(tensors).sort()).toEqual(listed.map(({ name }) => name).sort());
    let at = 0;
    for (const { name, shape } of listed) {
      const [from, to] = tensors[name].data_offsets as [number, number];
      expect(tensors[name]).toMatchObject({ dtype: 'F32', shape });
      expect(bytes.subarray(start + from, start + to).equals(weights.subarray(at, at + to - from)), name).toBe(true);
      at += to - from;
    }
    expect(bytes.length).toBe(start + at);
  });
});

describe('a .keras file', () => {
  it('is a model to begin with, which gives the outputs that Keras gives', async ({ skip }) => {
    const reason = await installKeras();
    if (reason !== undefined) return skip(reason);
    const images = join(root, 'made.bin');
    await writeFile(images, IMAGES);
    const path = join(root, 'made.keras');
    const expected = await python<number[][]>(MAKE, path, images);
    const train = { count: 1, images: storeOf(new Uint8Array(288), 288), labels: new Uint16Array(1) };
    const classNames = ['a', 'b', 'c', 'd', 'e'];
    const dataset = datasetOf({ name: 'made', height: 12, width: 12, channels: 2, classNames, train, test: undefined });
    const network = await networkFor(normalise({ model: path }), dataset);
    const model = { model: network!.model!, parameters: network!.parameters!, meta: undefined };
    expectClose(await outputsOf(model, IMAGES, IMAGE), expected);
    await writeFile(join(root, 'damaged.keras'), (await readFile(path)).subarray(0, 4000));
    for (const wrong of ['damaged.keras', 'none.keras'])
      expect(await failureOf(networkFor(normalise({ model: join(root, wrong) }), dataset), root)).toMatchObject({
        code: 'E_MODEL',
      });
  });
});

describe('export', () => {
  it('refuses a name that says no format, and a model that is not there', async () => {
    await saved(join(root, 'plain'), await describeLayers(FUNCTIONAL));
    expectError(await pseudolabel('export', join(root, 'plain'), join(root, 'plain.h5')), 'E_USAGE');
    expectError(await pseudolabel('export', join(root, 'nowhere'), join(root, 'plain.onnx')), 'E_MODEL');
    expect(EXPORT_FORMAT_NAMES).toEqual(['keras', 'onnx', 'safetensors']);
  });
});
