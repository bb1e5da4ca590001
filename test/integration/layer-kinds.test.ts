// Tests every kind of layer that can be trained. Each has a gradient, and no thread is the first to use the name of an
// attribute of TensorFlow's operations (the binding of tfjs-node keeps them in one set for all threads, without a
// lock).
import { describe, expect, it } from 'vitest';
import { createArena, floats } from '../../src/engine/arena.js';
import { loadKernel } from '../../src/engine/kernel/kernel.js';
import { Products } from '../../src/engine/products.js';
import { describe as describeLayers } from '../../src/models/layers/describe.js';
import { layers } from '../../src/models/layers/layers.js';
import { initialParameters } from '../../src/models/layers/model.js';
import { tensorFlow } from '../../src/models/layers/tensorflow.js';
import { USABLE } from '../../src/models/layers/topology.js';
import { keyOf, laneStates } from '../../src/random.js';

type Config = Readonly<Record<string, unknown>>;
interface Layer {
  readonly class_name: string;
  readonly config: Config;
  readonly name: string;
  readonly inbound_nodes: unknown;
}

const layer = (class_name: string, name: string, from: readonly string[], config: Config = {}): Layer => ({
  class_name,
  config: { name, trainable: true, ...config },
  name,
  inbound_nodes: from.length === 0 ? [] : [from.map((each) => [each, 0, 0, {}])],
});

const WINDOW = { kernel_size: [3, 3], use_bias: true, activation: 'relu' };
/** The settings that a layer needs, by the rank of its input: images, lines or vectors, or several of them. */
const OF_IMAGES: Readonly<Record<string, readonly Config[]>> = {
  Conv2D: [
    { ...WINDOW, filters: 3 },
    { ...WINDOW, filters: 3, strides: [2, 2], padding: 'same', activation: 'tanh', use_bias: false },
    { ...WINDOW, filters: 3, activation: 'linear' },
  ],
  Conv2DTranspose: [{ ...WINDOW, filters: 3, strides: [2, 2] }],
  SeparableConv2D: [{ ...WINDOW, filters: 3 }],
  DepthwiseConv2D: [WINDOW],
  Cropping2D: [
    {
      cropping: [
        [1, 1],
        [1, 1],
      ],
    },
  ],
  ZeroPadding2D: [
    {
      padding: [
        [1, 1],
        [1, 1],
      ],
    },
  ],
  UpSampling2D: [{ size: [2, 2] }],
  MaxPooling2D: [{ pool_size: [2, 2] }, { pool_size: [5, 5] }, { pool_size: [3, 3], strides: [2, 2], padding: 'same' }],
  AveragePooling2D: [{ pool_size: [2, 2] }],
  GlobalMaxPooling2D: [{}],
  GlobalAveragePooling2D: [{}],
  BatchNormalization: [{}, { axis: 1 }, { center: false, scale: false }],
  LayerNormalization: [{}],
  Permute: [{ dims: [3, 1, 2] }],
  Reshape: [{ target_shape: [24, 12] }],
  Rescaling: [{ scale: 2, offset: 1 }],
  Flatten: [{}],
};
const OF_LINES: Readonly<Record<string, readonly Config[]>> = {
  Conv1D: [{ filters: 3, kernel_size: [3], use_bias: true }],
  MaxPooling1D: [{ pool_size: [2] }],
  AveragePooling1D: [{ pool_size: [2] }],
  GlobalMaxPooling1D: [{}],
  GlobalAveragePooling1D: [{}],
};
const OF_VECTORS: Readonly<Record<string, readonly Config[]>> = {
  InputLayer: [],
  Dense: [{ units: 5, activation: 'sigmoid', use_bias: true }],
  RepeatVector: [{ n: 2 }],
  Dropout: [{ rate: 0.4 }],
  Activation: ['elu', 'selu', 'softplus', 'softsign', 'hardSigmoid', 'relu6', 'swish'].map((activation) => ({
    activation,
  })),
  ReLU: [{}, { max_value: 1 }],
  LeakyReLU: [{}],
  PReLU: [{}],
  ELU: [{}],
  Softmax: [{}],
};
const OF_SEVERAL: Readonly<Record<string, readonly Config[]>> = {
  Add: [{}],
  Average: [{}],
  Concatenate: [{}],
  Dot: [{ axes: -1 }],
  Maximum: [{}],
  Minimum: [{}],
  Multiply: [{}],
};

const START = [
  layer('InputLayer', 'in', [], { batch_input_shape: [null, 12, 12, 2], dtype: 'float32', sparse: false }),
  // TensorFlow computes this activation.
  layer('Conv2D', 'before', ['in'], { ...WINDOW, kernel_size: [1, 1], filters: 2, activation: 'tanh' }),
];
const LINES = layer('Reshape', 'lines', ['before'], { target_shape: [144, 2] });
const VECTOR = layer('Flatten', 'vector', ['before']);
const BRANCHES = ['left', 'right'].map((name) =>
  layer('Dense', name, ['vector'], { units: 6, use_bias: true, activation: 'relu' }),
);

const cases = (table: typeof OF_IMAGES, before: readonly Layer[], from: readonly string[]) =>
  Object.entries(table).flatMap(([kind, configs]) =>
    configs.map((config) => [kind, config, [...START, ...before, layer(kind, 'tried', from, config)]] as const),
  );
const CASES = [
  ...cases(OF_IMAGES, [], ['before']),
  ...cases(OF_LINES, [LINES], ['lines']),
  ...cases(OF_VECTORS, [VECTOR], ['vector']),
  ...cases(OF_SEVERAL, [VECTOR, ...BRANCHES], ['left', 'right']),
];

/** Returns the names of attributes that are used while something is done. */
async function namesIn(work: () => Promise<void> | void): Promise<Set<string>> {
  const names = new Set<string>();
  const backend = tensorFlow().backend() as unknown as { binding: Record<string, unknown> };
  const { binding } = backend;
  const execute = binding.executeOp as (name: string, attributes: { name: string }[], ...rest: unknown[]) => unknown;
  const watched: Record<string, unknown> = { ...binding };
  for (const name of Object.getOwnPropertyNames(binding)) watched[name] = binding[name];
  watched.executeOp = (name: string, attributes: { name: string }[], ...rest: unknown[]) => {
    for (const attribute of attributes) names.add(attribute.name);
    return execute.call(binding, name, attributes, ...rest);
  };
  backend.binding = watched;
  try {
    await work();
  } finally {
    backend.binding = binding;
  }
  return names;
}

it('are all of those that are allowed', () => {
  const tried = [OF_IMAGES, OF_LINES, OF_VECTORS, OF_SEVERAL].flatMap((table) => Object.keys(table));
  expect(tried.toSorted()).toEqual([...USABLE].sort());
});

describe('a layer', () => {
  it.each(CASES)(
    '%s %o has a gradient, by operations whose attributes were all used before there are threads',
    async (_kind, _config, before) => {
      const flat = layer('Flatten', 'flat', ['tried']);
      const end = layer('Dense', 'end', ['flat'], { units: 3, use_bias: true, activation: 'softmax' });
      const needsFlat =
        !OF_SEVERAL[_kind] &&
        !(_kind in OF_VECTORS && _kind !== 'RepeatVector') &&
        !_kind.startsWith('Global') &&
        _kind !== 'Flatten';
      const model = await describeLayers({
        class_name: 'Model',
        config: {
          name: 'kinds',
          layers: needsFlat ? [...before, flat, end] : [...before, { ...end, inbound_nodes: [[['tried', 0, 0, {}]]] }],
          input_layers: [['in', 0, 0]],
          output_layers: [['end', 0, 0]],
        },
      });
      const first = await namesIn(() => layers.beforeThreads!(model));
      const later = await namesIn(() => pass(model));
      expect([...later].filter((name) => !first.has(name))).toEqual([]);
      expect(later.size).toBeGreaterThan(3);
    },
  );
});

const ROWS = 16;

/** Does a pass for a gradient and one for a prediction, with so many rows that some are padding. */
async function pass(model: Awaited<ReturnType<typeof describeLayers>>): Promise<void> {
  const pixels = layers.inputs(model);
  const length = layers.parameterCount(model);
  const workspaceBytes = layers.workspaceBytes(model, ROWS, true);
  const sizes = {
    pixels,
    unlabelled: 0,
    evaluation: 0,
    parameterCount: length,
    shards: 1,
    workspaces: 1,
    workspaceBytes,
  };
  const arena = createArena(sizes);
  floats(arena, 'parameters', length).set(initialParameters(model, 1, 0).map(Math.abs));
  const prepared = await layers.prepare!(model, arena);
  const hardware = { products: new Products(arena.memory), kernel: loadKernel(arena.memory), arena };
  const passes = layers.passes(model, ROWS, hardware, { workspace: 0, training: true, prepared });
  passes.targets().fill(1 / 3);
  passes.weights().fill(1);
  passes.loadBytes(Uint8Array.from({ length: (ROWS - 3) * pixels }, (_, i) => (i * 97) % 256));
  passes.forward((mask) => laneStates(keyOf(0, 'mask', mask + 1)));
  passes.loss();
  expect(passes.backward(0)).toBe(true);
  const start = arena.regions.gradientBuffers;
  expect(new Float32Array(arena.memory.buffer, start, 16).some((value) => value !== 0)).toBe(true);
  passes.forward(undefined);
  passes.classify(ROWS - 3);
}
