// Tests chains of layers by the library of products against TensorFlow's automatic differentiation of the same
// networks.
import { describe, expect, it } from 'vitest';
import { createArena, floats, workspaceStart } from '../../src/engine/arena.js';
import { loadKernel } from '../../src/engine/kernel/kernel.js';
import { nativeVariants, openNative } from '../../src/engine/native/native.js';
import { Products } from '../../src/engine/products.js';
import type { Passes } from '../../src/models/kind.js';
import { chainOf } from '../../src/models/layers/chain.js';
import { convnet, convnetModel } from '../../src/models/layers/convnet.js';
import { describe as describeLayers } from '../../src/models/layers/describe.js';
import { layers } from '../../src/models/layers/layers.js';
import { type LayersModel, parametersOf } from '../../src/models/layers/model.js';
import { LayersPasses } from '../../src/models/layers/passes.js';
import { buildAt } from '../../src/models/layers/tensorflow.js';
import { keyOf, laneStates } from '../../src/random.js';
import { sameBits } from '../bits.js';
import { plainProducts } from './plain-products.js';
import { uniform } from './shard-task.js';

const layer = (class_name: string, config: object = {}) => ({ class_name, config: { trainable: true, ...config } });
const conv = (name: string, filters: number, more: object = {}) =>
  layer('Conv2D', { name, filters, kernel_size: [3, 3], activation: 'relu', use_bias: true, ...more });
const dense = (units: number, more: object = {}) => layer('Dense', { name: `dense_${units}`, units, ...more });
const flatten = layer('Flatten', { name: 'flatten' });
const pool = (name: string, side = 2) => layer('MaxPooling2D', { name, pool_size: [side, side] });
const dropout = (name: string, rate: number) => layer('Dropout', { name, rate });

const NETWORKS: readonly (readonly [string, number[], readonly object[]])[] = [
  [
    'with padding, and a rest behind the pooling',
    [9, 11, 3],
    [
      conv('a', 5, { padding: 'same' }),
      pool('p'),
      conv('b', 20, { padding: 'same', use_bias: false }),
      flatten,
      dense(4),
    ],
  ],
  [
    'with wide windows that are padded unevenly',
    [8, 8, 1],
    [
      conv('a', 17, { kernel_size: [4, 5], padding: 'same', activation: 'linear' }),
      pool('p', 3),
      layer('Activation', { name: 'r', activation: 'relu' }),
      flatten,
      dense(3),
    ],
  ],
  [
    'with dropout everywhere',
    [10, 10, 2],
    [
      dropout('d', 0.2),
      conv('a', 8, { padding: 'same' }),
      dropout('e', 0.3),
      conv('b', 9, { padding: 'same' }),
      pool('q'),
      dropout('f', 0.5),
      flatten,
      dense(12, { activation: 'relu' }),
      dropout('g', 0.4),
      dense(5),
    ],
  ],
  [
    'that ends in a mean of all pixels',
    [12, 12, 1],
    [
      conv('a', 6),
      conv('b', 40, { kernel_size: [1, 1] }),
      conv('c', 7, { activation: 'linear' }),
      layer('GlobalAveragePooling2D', { name: 'm' }),
    ],
  ],
  [
    'with a mean of all pixels before its classes',
    [12, 12, 1],
    [conv('a', 6), pool('p'), layer('ReLU', { name: 'r' }), layer('GlobalAveragePooling2D', { name: 'm' }), dense(4)],
  ],
  [
    'of dense layers',
    [30],
    [dense(50, { activation: 'relu' }), dense(70, { activation: 'relu', use_bias: false }), dense(6)],
  ],
];

const ROWS = 24;
const COUNT = 19;

async function modelOf(inputShape: readonly number[], given: readonly object[], members = 1): Promise<LayersModel> {
  const [first, ...rest] = given as [{ config: object }];
  const withInput = { ...first, config: { batch_input_shape: [null, ...inputShape], ...first.config } };
  const topology = { class_name: 'Sequential', config: { name: 'chain', layers: [withInput, ...rest] } };
  const described = await describeLayers(topology);
  return members === 1 ? described : { ...described, members };
}

interface Found {
  readonly logits: Float32Array;
  readonly losses: Float32Array;
  readonly gradient: Float32Array;
  readonly features: Float32Array | undefined;
}

async function passOf(
  model: LayersModel,
  way: 'chain' | 'tensorflow',
  hasFeatures: boolean,
  productsIn = (memory: WebAssembly.Memory) => new Products(memory),
): Promise<Found> {
  const arena = createArena({
    pixels: layers.inputs(model),
    unlabelled: 0,
    evaluation: 0,
    parameterCount: parametersOf(model),
    shards: 1,
    workspaces: 1,
    workspaceBytes: layers.workspaceBytes(model, ROWS, true),
  });
  // Other networks have used the workspace before.
  new Float32Array(arena.memory.buffer, workspaceStart(arena, 0), arena.shape.workspaceBytes / 4).fill(Number.NaN);
  const next = uniform(3);
  floats(arena, 'parameters', parametersOf(model)).set(
    layers.initialise(model, 1, 0).map((value) => value || (next() - 0.5) / 10),
  );
  const hardware = { products: productsIn(arena.memory), kernel: loadKernel(arena.memory), arena };
  const of = { workspace: 0, training: true } as const;
  const passes: Passes =
    way === 'chain'
      ? layers.passes(model, ROWS, hardware, { ...of, prepared: undefined })
      : new LayersPasses(
          hardware,
          model,
          await buildAt(model, { memory: arena.memory, address: arena.regions.parameters }),
          ROWS,
          of,
        );
  passes.loadBytes(Uint8Array.from({ length: COUNT * layers.inputs(model) }, () => (next() < 0.4 ? 0 : 256 * next())));
  passes.targets().forEach((_, i, all) => {
    all[i] = Number(Math.floor(i / ROWS) === i % model.classes);
  });
  passes.weights().forEach((_, r, all) => {
    all[r] = r < COUNT ? 1 / (r + 20) : 0;
  });
  const features = hasFeatures ? passes.features(COUNT) : undefined;
  passes.forward(undefined);
  const probabilities = passes.classify(COUNT).probabilities(1);
  passes.forward((index) => laneStates(keyOf(7, 'mask', index)));
  passes.loss();
  expect(passes.backward(0)).toBe(true);
  const { gradientBuffers } = arena.regions;
  return {
    logits: probabilities,
    losses: passes.losses().slice(0, COUNT),
    gradient: new Float32Array(arena.memory.buffer, gradientBuffers, parametersOf(model)).slice(),
    features,
  };
}

/** Returns the largest difference, as a share of the largest value. */
function differenceOf(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(found[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return found.length === expected.length ? difference / largest : Number.POSITIVE_INFINITY;
}

const SMALL = 2e-5;

describe('a chain of layers', () => {
  it.each(NETWORKS)('%s has the passes of TensorFlow', async (_, inputShape, given) => {
    const model = await modelOf(inputShape, given);
    expect(chainOf(model)).toBeDefined();
    const hasFeatures = (given.at(-1) as { class_name: string }).class_name === 'Dense';
    const [found, expected] = [
      await passOf(model, 'chain', hasFeatures),
      await passOf(model, 'tensorflow', hasFeatures),
    ];
    for (const part of ['logits', 'losses', 'gradient'] as const)
      expect(differenceOf(found[part], expected[part]), part).toBeLessThan(SMALL);
    if (hasFeatures) expect(differenceOf(found.features!, expected.features!)).toBeLessThan(SMALL);
  });

  it('of three members draws masks for each, and predicts by their mean probabilities', async () => {
    const [, inputShape, given] = NETWORKS[2]!;
    const model = await modelOf(inputShape, given, 3);
    const [found, expected] = [await passOf(model, 'chain', true), await passOf(model, 'tensorflow', true)];
    for (const part of ['logits', 'losses', 'gradient', 'features'] as const)
      expect(differenceOf(found[part]!, expected[part]!), part).toBeLessThan(SMALL);
  });

  it.each(NETWORKS)('%s has the bits of plain loops in every variant of the library', async (_, inputShape, given) => {
    const model = await modelOf(inputShape, given);
    const plain = await passOf(model, 'chain', false, (memory) => new Products(memory, plainProducts(memory)));
    for (const variant of nativeVariants()) {
      const found = await passOf(model, 'chain', false, (memory) => new Products(memory, openNative(memory, variant)));
      for (const part of ['logits', 'losses', 'gradient'] as const)
        expect(sameBits(found[part], plain[part]), `${variant} ${part}`).toBe(true);
    }
  });

  it('is what the built-in convolutional network is, whatever the size of its images', async () => {
    for (const size of [4, 19, 28, 32]) {
      const model = await describeLayers(convnet([size, size + 3, 3], 10));
      expect(chainOf(model)).toBeDefined();
      expect(convnetModel([size, size + 3, 3], 10)).toEqual(model);
    }
  });

  it.each([
    ['a stride', [conv('a', 4, { strides: [2, 2] }), flatten, dense(3)]],
    ['another activation', [conv('a', 4, { activation: 'tanh' }), flatten, dense(3)]],
    ['batch normalisation', [conv('a', 4), layer('BatchNormalization', { name: 'b' }), flatten, dense(3)]],
    [
      'pooling that overlaps',
      [conv('a', 4), layer('MaxPooling2D', { name: 'p', pool_size: [3, 3], strides: [2, 2] }), flatten, dense(3)],
    ],
    ['more weights than the caches hold', [flatten, dense(20_000, { activation: 'relu' }), dense(3)]],
  ] as const)('is no network with %s, which TensorFlow computes', async (_, given) => {
    const model = await modelOf([12, 12, 1], given);
    expect(chainOf(model)).toBeUndefined();
    expect(layers.needsTensorFlow!(model)).toBe(true);
  });
});
