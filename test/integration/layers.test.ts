// Tests networks of TensorFlow.js layers: their gradients, their bits, their files, and which ones are refused.

import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openSession } from '../../coordinator/compose.js';
import { LabelledSet } from '../../coordinator/labelled-set.js';
import { networkFor } from '../../coordinator/runs/network.js';
import { type ResolvedRun, resolveRun } from '../../coordinator/runs/resolved-run.js';
import type { Position } from '../../coordinator/train.js';
import { sha256OfParameters } from '../../src/checksum.js';
import { AUGMENTATIONS } from '../../src/data/augmentation.js';
import { type Dataset, datasetOf } from '../../src/data/dataset.js';
import { loadDataset } from '../../src/data/load.js';
import { describe as describeLayers } from '../../src/models/layers/describe.js';
import { initialParameters, offsetsOf, sizeOf } from '../../src/models/layers/model.js';
import { type TensorFlow, tensorFlow } from '../../src/models/layers/tensorflow.js';
import { loadModel, saveModel } from '../../src/models/saved-model.js';
import { normalise, type Options } from '../../src/training/config.js';
import type { TrainingState } from '../../src/training/executor.js';
import { failureOf } from '../failure.js';
import { folderOfFile } from '../folders.js';
import { firstImages } from '../images.js';
import { gradientOf, still } from './layers-gradient.js';
import { listener, trained } from './training.js';

const root = folderOfFile('layers');
const IMAGES = 600;

const layer = (class_name: string, config: object, first = false) => ({
  class_name,
  config: { trainable: true, ...(first ? { batch_input_shape: [null, 28, 28, 1] } : {}), ...config },
});
/** A small network with all layers that have parameters or draw random numbers. */
const LAYERS = [
  layer(
    'Conv2D',
    { name: 'conv', filters: 3, kernel_size: [3, 3], strides: [2, 2], activation: 'relu', use_bias: true },
    true,
  ),
  layer('BatchNormalization', { name: 'batch', momentum: 0.9 }),
  layer('MaxPooling2D', { name: 'pool', pool_size: [2, 2] }),
  layer('DepthwiseConv2D', { name: 'depthwise', kernel_size: [3, 3], use_bias: true }),
  layer('LayerNormalization', { name: 'norm' }),
  layer('Flatten', { name: 'flatten' }),
  layer('Dropout', { name: 'drop', rate: 0.3 }),
  layer('Dense', { name: 'out', units: 10, activation: 'softmax', use_bias: true }),
];
const topologyOf = (layers: readonly object[]) => ({ class_name: 'Sequential', config: { name: 'small', layers } });

let dataset: Dataset;
let model: string;
beforeAll(async () => {
  const { train, ...mnist } = await loadDataset();
  const first = { count: IMAGES, images: firstImages(train.images, IMAGES), labels: train.labels.subarray(0, IMAGES) };
  dataset = datasetOf({ ...mnist, train: first, test: undefined });
  const described = await describeLayers(topologyOf(LAYERS));
  model = join(root, 'small');
  const meta = { rows: 28, columns: 28, channels: 1, classes: 10, classNames: undefined, data: undefined };
  await saveModel(model, described, initialParameters(described, 5, 0), meta);
});

async function runOf(options: Options): Promise<ResolvedRun> {
  const config = normalise({ model, shards: 3, maxSteps: 6, labelsPerClass: 5, refresh: 'step', ...options });
  // Pseudo-labels count from the first step on.
  const augment = { labelled: AUGMENTATIONS.digits, unlabelled: AUGMENTATIONS.photos, weak: AUGMENTATIONS.shift };
  const alpha = { t1: 0, t2: 0, final: 1, every: 1 };
  const set = { 'finetune.alpha': alpha, 'finetune.batch': 24, 'finetune.augment': augment, 'finetune.clip': 0.5 };
  const shaped = { ...config, preset: 'paper' as const, set };
  return resolveRun(shaped, dataset, await networkFor(shaped, dataset));
}

interface Trained {
  readonly sha256: string;
  readonly saved: readonly { readonly position: Position; readonly state: TrainingState }[];
}

async function weightsOf(
  run: ResolvedRun,
  disturb = async (_step: number, _lose: (thread: number) => Promise<void>) => {},
) {
  const session = await openSession([run]);
  const { config, split, stages, maxSteps, parameters } = run;
  const { height, width, channels } = dataset;
  const training = {
    images: { height, width, channels },
    seed: config.seed,
    stages,
    maxSteps,
    parameters,
    labelled: new LabelledSet(dataset.train, split.labelled),
  };
  const saved: Trained['saved'][number][] = [];
  const beforeStep = async (position: Position) => {
    saved.push({ position, state: await session.dispatcher.read(stages[position.stage]!.model) });
    await disturb(saved.length, (thread) => session.local.loseThread(thread));
  };
  try {
    const sha256 = sha256OfParameters(await trained(training, session.dispatcher, listener({ beforeStep })));
    const resume = async ({ position, state }: Trained['saved'][number]) => {
      session.dispatcher.write(state);
      return sha256OfParameters(await trained(training, session.dispatcher, listener(), position));
    };
    const again = [];
    for (const each of [saved[2]!, saved.at(-2)!]) again.push(await resume(each));
    return { sha256, again };
  } finally {
    await session.close();
  }
}

describe('a run of layers', () => {
  it('has the same bits for 1, 2 and 3 workers, when threads are lost, and resumed anywhere', async () => {
    const alone = await weightsOf(await runOf({ workers: 1 }));
    expect(alone.again).toEqual([alone.sha256, alone.sha256]);
    for (const workers of [2, 3]) {
      const lose = async (step: number, loseThread: (thread: number) => Promise<void>) => {
        if (step % 3 === 0) await loseThread(step % workers);
      };
      expect((await weightsOf(await runOf({ workers }), lose)).sha256).toBe(alone.sha256);
    }
  });

  it('of an ensemble has the same bits for 1, 2 and 3 workers, and members of their own weights', async () => {
    const ensemble = { members: 2, fresh: true };
    const run = await runOf({ workers: 1, ...ensemble });
    const alone = await weightsOf(run);
    expect(alone.again).toEqual([alone.sha256, alone.sha256]);
    for (const workers of [2, 3])
      expect((await weightsOf(await runOf({ workers, ...ensemble }))).sha256).toBe(alone.sha256);
    const described = run.stages[0]!.model;
    if (described.kind !== 'layers') throw new Error('no layers');
    const initial = initialParameters(described, 1, 0);
    const kernel = (member: number) =>
      initial.slice(offsetsOf(described, member)[0]!, offsetsOf(described, member)[1]!);
    expect(kernel(0)).toEqual(initialParameters({ ...described, members: 1 }, 1, 0).slice(0, kernel(0).length));
    expect(kernel(1)).not.toEqual(kernel(0));
    for (const options of [{ members: 2 }, { members: 2, model: 'dense:64' }])
      await expect(runOf(options)).rejects.toMatchObject({ code: 'E_CONFIG' });
  });

  it('starts from the weights of the file, or draws them afresh', async () => {
    const [given, fresh, other] = [
      await runOf({}),
      await runOf({ fresh: true }),
      await runOf({ fresh: true, seed: 2 }),
    ];
    expect(fresh.parameters).toBeUndefined();
    expect(given.parameters).toEqual((await loadModel(model)).parameters);
    const sums = [];
    for (const run of [given, fresh, other]) sums.push((await weightsOf({ ...run, maxSteps: 3 })).sha256);
    expect(new Set(sums).size).toBe(3);
  });

  it('is refused where it cannot be: an autoencoder, tensor shards, other images, other classes', async () => {
    const refusals: [Options, string][] = [
      [{ scenario: 'dae' }, 'E_CONFIG'],
      [{ strategy: 'tensor' }, 'E_CONFIG'],
    ];
    for (const [options, code] of refusals) await expect(runOf(options)).rejects.toMatchObject({ code });
    const config = normalise({ model });
    const small = { ...dataset, height: 14, width: 14 };
    expect(await failureOf(networkFor(config, small), root)).toMatchObject({
      code: 'E_MODEL',
      fix: expect.stringContaining('--size 28x28'),
    });
    expect(await failureOf(networkFor(config, { ...dataset, classes: 9 }), root)).toMatchObject({ code: 'E_MODEL' });
    expect(await failureOf(networkFor(normalise({ model: join(root, 'none') }), dataset), root)).toMatchObject({
      code: 'E_MODEL',
    });
  });
});

describe('the gradient of layers', () => {
  it('is that of the loss, by differences of the loss itself', async () => {
    const run = await runOf({ workers: 1, fresh: true });
    const described = run.stages[0]!.model;
    if (described.kind !== 'layers') throw new Error('no layers');
    const tf = tensorFlow();
    // No bias is 0, because relu has no derivative there for black pixels.
    const values = initialParameters(described, 3, 0).map((value) => (value === 0 ? 0.1 : value));
    const network = await plain(tf, still(described).topology);
    const x = tf.tensor(
      Float32Array.from(Buffer.concat([...dataset.train.images.views(0, 4)]), (byte) => byte / 255),
      [4, 28, 28, 1],
    );
    const labels = [...dataset.train.labels.subarray(0, 4)];
    const lossAt = (parameters: Float32Array) => {
      network.setWeights(weightsIn(tf, described, parameters));
      const logits = (network.apply(x, { training: true }) as ReturnType<typeof tf.zeros>).arraySync() as number[][];
      return (
        logits.reduce((sum, row, r) => {
          const largest = Math.max(...row);
          return (
            sum +
            Math.log(row.reduce((total, logit) => total + Math.exp(logit - largest), 0)) +
            largest -
            row[labels[r]!]!
          );
        }, 0) / 4
      );
    };
    const gradient = await gradientOf(described, values, dataset, 4);
    const offsets = offsetsOf(described);
    // TensorFlow.js has changed its own moving averages.
    lossAt(values);
    const after = network.getWeights().map((weight) => weight.dataSync());
    for (const [w, { shape, name, isStatistic }] of described.weights.entries()) {
      if (isStatistic) {
        const moved = values.map((value, i) => value - gradient[i]!).subarray(offsets[w]!, offsets[w]! + sizeOf(shape));
        for (const [i, value] of moved.entries()) expect(value).toBeCloseTo(after[w]![i]!, 5);
        expect(gradient[offsets[w]!], name).not.toBe(0);
        continue;
      }
      for (const element of [0, Math.floor(sizeOf(shape) / 2), sizeOf(shape) - 1]) {
        const at = offsets[w]! + element;
        const moved = (by: number) => values.map((value, i) => (i === at ? value + by : value));
        const difference = (lossAt(moved(2e-3)) - lossAt(moved(-2e-3))) / 4e-3;
        expect(Math.abs(gradient[at]! - difference), `${name} ${element}`).toBeLessThan(
          0.01 + 0.03 * Math.abs(difference),
        );
      }
    }
  });
});

describe('a model of layers', () => {
  it('is saved so that plain TensorFlow.js gives equal outputs, and read again', async () => {
    const { model: read, parameters } = await loadModel(model);
    if (read.kind !== 'layers') throw new Error('no layers');
    const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node') as TensorFlow;
    const loaded = await tf.loadLayersModel(`file://${model}/model.json`);
    const x = tf.randomUniform([5, 28, 28, 1], 0, 1, 'float32', 7);
    const probabilities = (loaded.predict(x) as ReturnType<typeof tf.zeros>).arraySync() as number[][];
    for (const row of probabilities) expect(row.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 5);
    const network = await plain(tf, read.topology);
    network.setWeights(weightsIn(tf, read, parameters));
    const logits = network.predict(x) as ReturnType<typeof tf.zeros>;
    expect(tf.softmax(logits).arraySync()).toEqual(probabilities);
  });

  it('of several members is saved as one network whose output is their mean, and read again', async () => {
    const { model: one } = await loadModel(model);
    if (one.kind !== 'layers') throw new Error('no layers');
    const ensemble = { ...one, members: 2 };
    const parameters = initialParameters(ensemble, 9, 0);
    const path = join(root, 'ensemble');
    const meta = { rows: 28, columns: 28, channels: 1, classes: 10, classNames: undefined, data: undefined };
    await saveModel(path, ensemble, parameters, meta);
    const read = await loadModel(path);
    expect(read.model).toEqual(ensemble);
    expect(read.parameters).toEqual(parameters);
    const tf = tensorFlow();
    const loaded = await tf.loadLayersModel(`file://${path}/model.json`);
    const x = tf.randomUniform([5, 28, 28, 1], 0, 1, 'float32', 7);
    const found = (loaded.predict(x) as ReturnType<typeof tf.zeros>).arraySync() as number[][];
    const members = [];
    for (const member of [0, 1]) {
      const network = await plain(tf, one.topology);
      network.setWeights(weightsIn(tf, ensemble, parameters, member));
      members.push(tf.softmax(network.predict(x) as ReturnType<typeof tf.zeros>));
    }
    const mean = tf.div(tf.add(members[0]!, members[1]!), 2).arraySync() as number[][];
    for (const [r, row] of mean.entries())
      for (const [c, value] of row.entries()) expect(found[r]![c]).toBeCloseTo(value, 6);
  });

  it.each([
    ['LSTM', { units: 3 }, 'LSTM'],
    ['GaussianNoise', { stddev: 1 }, 'GaussianNoise'],
    ['BatchNormalization', { trainable: false }, 'is not trainable'],
    ['BatchNormalization', { trainable: false, center: false, scale: false }, 'is not trainable'],
    ['MyLayer', {}, 'MyLayer'],
    ['Dense', { units: 10, trainable: false }, 'wrong/kernel is not trainable'],
    ['Dense', { units: 10, activation: 'tanh' }, 'ends in tanh'],
    ['Dense', { units: 10, kernel_regularizer: { class_name: 'L1L2', config: {} } }, 'regularizer'],
    ['Conv2D', { filters: 2, kernel_size: [99, 99] }, ''],
  ])('with a layer that cannot be trained is refused by its name: %s', async (name, config, words) => {
    const path = join(root, `refused-${name}`);
    const topology = topologyOf([...LAYERS.slice(0, 3), layer(name, { name: 'wrong', ...config })]);
    const { mkdir } = await import('node:fs/promises');
    await mkdir(path, { recursive: true });
    const json = { modelTopology: topology, weightsManifest: [{ paths: [], weights: [] }] };
    await writeFile(join(path, 'model.json'), JSON.stringify(json));
    const error = await failureOf(networkFor(normalise({ model: path }), dataset), root);
    expect(error).toMatchObject({ code: 'E_MODEL', message: expect.stringContaining(words) });
  });
});

const plain = (tf: TensorFlow, topology: object) => tf.models.modelFromJSON(topology as never);

function weightsIn(
  tf: TensorFlow,
  described: { weights: readonly { shape: readonly number[] }[] },
  parameters: Float32Array,
  member = 0,
) {
  const offsets = offsetsOf(described as never, member);
  return described.weights.map(({ shape }, w) =>
    tf.tensor(parameters.slice(offsets[w]!, offsets[w]! + sizeOf(shape)), [...shape]),
  );
}
