// The ONNX operators of each kind of layer, as it predicts.
import { z } from 'zod';
import { float, type GraphBuilder, int, ints, string } from './onnx-graph.js';
import type { Attribute } from './onnx-proto.js';
import type { PlainLayer, PlainWeight } from './plain-model.js';

type Inputs = readonly [string, ...string[]];
type Convert = (graph: GraphBuilder, inputs: Inputs, layer: PlainLayer) => string;

const pair = z.union([z.tuple([z.int(), z.int()]), z.int().transform((n): [number, number] => [n, n])]);
/** The common part of convolutions and pooling. */
const WINDOW = z.object({
  strides: pair.nullish(),
  padding: z.enum(['same', 'valid']).default('valid'),
  data_format: z.literal('channels_last').nullish(),
  dilation_rate: pair.nullish(),
  pool_size: pair.default([2, 2]),
});
const number = z.number().nullish();
const REST = z.object({
  axis: z.union([z.literal(-1), z.tuple([z.literal(-1)])]).catch(-1),
  epsilon: z.number().default(1e-3),
  scale: number,
  offset: number,
  alpha: number,
  max_value: number,
  target_shape: z.array(z.int()).default([]),
  padding: z.tuple([pair, pair]).catch([
    [1, 1],
    [1, 1],
  ]),
});

const weightOf = ({ weights }: PlainLayer, name: string): PlainWeight | undefined =>
  weights.find((weight) => weight.name === name);

function needed(layer: PlainLayer, name: string): PlainWeight {
  const weight = weightOf(layer, name);
  if (!weight) throw new RangeError(`it has no weight ${name}`);
  return weight;
}

const constantOf = (graph: GraphBuilder, { shape, values }: PlainWeight): string => graph.constant(shape, values);

function withBias(graph: GraphBuilder, x: string, layer: PlainLayer): string {
  const bias = weightOf(layer, 'bias');
  const sum = bias ? graph.add('Add', [x, constantOf(graph, bias)]) : x;
  return graph.activation(sum, layer.layer.config.activation);
}

function windowOf({ layer }: PlainLayer): { attributes: Record<string, Attribute>; pool: [number, number] } {
  const { strides, padding, dilation_rate, pool_size } = WINDOW.parse(layer.config);
  const isPooling = layer.class_name.includes('Pooling');
  const attributes = {
    strides: ints(strides ?? (isPooling ? pool_size : [1, 1])),
    auto_pad: string(padding === 'same' ? 'SAME_UPPER' : 'VALID'),
    ...(!isPooling && { dilations: ints(dilation_rate ?? [1, 1]) }),
  };
  return { attributes, pool: pool_size };
}

/**
 * Adds a kernel: [height, width, in, out] as [out, in, height, width], or for depthwise ones [height, width, in, each]
 * as [in x each, 1, height, width].
 */
function kernelOf(graph: GraphBuilder, { shape, values }: PlainWeight, isDepthwise = false): string {
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  const result = new Float32Array(values.length);
  const place = height * width;
  for (let at = 0; at < place; at++)
    for (let i = 0; i < inputs; i++)
      for (let o = 0; o < outputs; o++) {
        const to = isDepthwise ? (i * outputs + o) * place + at : (o * inputs + i) * place + at;
        result[to] = values[(at * inputs + i) * outputs + o]!;
      }
  return graph.constant(isDepthwise ? [inputs * outputs, 1, height, width] : [outputs, inputs, height, width], result);
}

const dense: Convert = (graph, [x], layer) =>
  withBias(graph, graph.add('MatMul', [x, constantOf(graph, needed(layer, 'kernel'))]), layer);

const convolution: Convert = (graph, [x], layer) => {
  const kernel = kernelOf(graph, needed(layer, 'kernel'));
  const { attributes } = windowOf(layer);
  return withBias(
    graph,
    graph.channelsFirst(x, (first) => graph.add('Conv', [first, kernel], attributes)),
    layer,
  );
};

const depthwise: Convert = (graph, [x], layer) => {
  const weight = needed(layer, 'depthwise_kernel');
  const kernel = kernelOf(graph, weight, true);
  const attributes = { ...windowOf(layer).attributes, group: int(weight.shape[2]!) };
  return withBias(
    graph,
    graph.channelsFirst(x, (first) => graph.add('Conv', [first, kernel], attributes)),
    layer,
  );
};

const separable: Convert = (graph, [x], layer) => {
  const weight = needed(layer, 'depthwise_kernel');
  const first = kernelOf(graph, weight, true);
  const second = kernelOf(graph, needed(layer, 'pointwise_kernel'));
  const attributes = { ...windowOf(layer).attributes, group: int(weight.shape[2]!) };
  const compute = (y: string) => graph.add('Conv', [graph.add('Conv', [y, first], attributes), second]);
  return withBias(graph, graph.channelsFirst(x, compute), layer);
};

const pooling =
  (operator: 'MaxPool' | 'AveragePool'): Convert =>
  (graph, [x], layer) => {
    const { attributes, pool } = windowOf(layer);
    return graph.channelsFirst(x, (y) => graph.add(operator, [y], { ...attributes, kernel_shape: ints(pool) }));
  };

const globally =
  (operator: 'ReduceMean' | 'ReduceMax', axes: readonly number[]): Convert =>
  (graph, [x]) =>
    graph.add(operator, [x], { axes: ints(axes), keepdims: int(0) });

/** Adds y = gamma (x - mean) / sqrt(variance + epsilon) + beta, as one product and one sum. */
const batchNormalization: Convert = (graph, [x], layer) => {
  const { epsilon } = REST.parse(layer.layer.config);
  const [mean, variance] = [needed(layer, 'moving_mean').values, needed(layer, 'moving_variance').values];
  const [gamma, beta] = [weightOf(layer, 'gamma')?.values, weightOf(layer, 'beta')?.values];
  const scale = variance.map((value, i) => (gamma?.[i] ?? 1) / Math.sqrt(value + epsilon));
  const shift = mean.map((value, i) => (beta?.[i] ?? 0) - value * scale[i]!);
  const scaled = graph.add('Mul', [x, graph.constant([scale.length], scale)]);
  return graph.add('Add', [scaled, graph.constant([shift.length], shift)]);
};

const layerNormalization: Convert = (graph, [x], layer) => {
  const { epsilon } = REST.parse(layer.layer.config);
  const [gamma, beta] = [weightOf(layer, 'gamma'), weightOf(layer, 'beta')];
  const size = (gamma ?? beta)?.values.length;
  if (size === undefined) throw new RangeError('it has neither gamma nor beta');
  const scale = gamma ? constantOf(graph, gamma) : graph.constant([size], new Float32Array(size).fill(1));
  const inputs = [x, scale, ...(beta ? [constantOf(graph, beta)] : [])];
  return graph.add('LayerNormalization', inputs, { axis: int(-1), epsilon: float(epsilon) });
};

const all =
  (operator: string): Convert =>
  (graph, inputs) =>
    inputs.slice(1).reduce((sum, input) => graph.add(operator, [sum, input]), inputs[0]);

const same: Convert = (_graph, [x]) => x;

const TABLE: Readonly<Record<string, Convert>> = {
  InputLayer: same,
  Dropout: same,
  Dense: dense,
  Conv2D: convolution,
  DepthwiseConv2D: depthwise,
  SeparableConv2D: separable,
  MaxPooling2D: pooling('MaxPool'),
  AveragePooling2D: pooling('AveragePool'),
  GlobalMaxPooling2D: globally('ReduceMax', [1, 2]),
  GlobalAveragePooling2D: globally('ReduceMean', [1, 2]),
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Activation: (graph, [x], { layer }) => graph.activation(x, layer.config.activation),
  Softmax: (graph, [x]) => graph.activation(x, 'softmax'),
  ReLU: (graph, [x], { layer }) => {
    const { max_value: most } = REST.parse(layer.config);
    return typeof most === 'number'
      ? graph.add('Clip', [x, graph.floats(0), graph.floats(most)])
      : graph.activation(x, 'relu');
  },
  LeakyReLU: (graph, [x], { layer }) =>
    graph.add('LeakyRelu', [x], { alpha: float(REST.parse(layer.config).alpha ?? 0.3) }),
  ELU: (graph, [x], { layer }) => graph.add('Elu', [x], { alpha: float(REST.parse(layer.config).alpha ?? 1) }),
  PReLU: (graph, [x], layer) => graph.add('PRelu', [x, constantOf(graph, needed(layer, 'alpha'))]),
  Flatten: (graph, [x]) => graph.add('Reshape', [x, graph.integers(0, -1)]),
  Reshape: (graph, [x], { layer }) =>
    graph.add('Reshape', [x, graph.integers(0, ...REST.parse(layer.config).target_shape)]),
  Rescaling: (graph, [x], { layer }) => {
    const { scale, offset } = REST.parse(layer.config);
    return graph.add('Add', [graph.add('Mul', [x, graph.floats(scale ?? 1)]), graph.floats(offset ?? 0)]);
  },
  ZeroPadding2D: (graph, [x], { layer }) => {
    const [[top, bottom], [left, right]] = REST.parse(layer.config).padding;
    return graph.add('Pad', [x, graph.integers(0, top, left, 0, 0, bottom, right, 0)]);
  },
  Add: all('Add'),
  Multiply: all('Mul'),
  Maximum: all('Max'),
  Minimum: all('Min'),
  Average: (graph, inputs, layer) => graph.add('Div', [all('Add')(graph, inputs, layer), graph.floats(inputs.length)]),
  Concatenate: (graph, inputs, { layer }) =>
    graph.add('Concat', inputs, { axis: int(Number(layer.config.axis ?? -1)) }),
};

/**
 * Adds a layer to a graph. Returns the name of its output. Throws RangeError for a layer that has no operators here.
 */
export function addLayer(graph: GraphBuilder, inputs: Inputs, layer: PlainLayer): string {
  const { class_name: name, config } = layer.layer;
  const convert = TABLE[name];
  if (!convert) throw new RangeError(`layers of the class ${name} cannot be written as ONNX`);
  if (/Normalization$/.test(name)) checkLastAxis(config);
  try {
    return convert(graph, inputs, layer);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [{ path, message } = { path: [], message: '' }] = error.issues;
    throw new RangeError(`the layer ${String(config.name)} cannot be written as ONNX: ${path.join('.')}: ${message}`);
  }
}

function checkLastAxis({ axis, name }: Readonly<Record<string, unknown>>): void {
  const given = Array.isArray(axis) ? axis[0] : axis;
  if (given !== undefined && given !== null && given !== -1 && given !== 3)
    throw new RangeError(`the layer ${String(name)} does not normalise its last axis`);
}
