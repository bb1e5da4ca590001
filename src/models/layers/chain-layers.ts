// Reads the layers of a network that is a plain chain, with the sizes of their outputs: convolutions and dense layers
// with their relu and pooling, means, dropout.
import { MOST_POOL } from '../../engine/native/convolution.js';
import type { LayersModel } from './model.js';
import { nameOf, outputName, type Topology, type TopologyLayer } from './topology.js';

export interface Size {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** A step of the chain before the borders of its tensors are known. */
export interface Draft {
  readonly kind: 'convolution' | 'mean' | 'dropout';
  readonly layer: string;
  readonly size: Size;
  readonly kernel: readonly [number, number];
  readonly filters: number;
  readonly same: boolean;
  readonly hasBias: boolean;
  relu: boolean;
  pool: number;
  readonly rate: number;
}

/** Returns the drafts of a network's steps, or undefined if it has other layers or branches. */
export function draftsOf({ topology, inputShape }: LayersModel): readonly Draft[] | undefined {
  const layers = lineOf(topology);
  if (!layers || inputShape.length === 2) return undefined;
  const drafts: Draft[] = [];
  let size: Size | undefined = inputSize(inputShape);
  for (const layer of layers) {
    size = append(drafts, layer, size, inputShape.length === 1);
    if (!size) return undefined;
  }
  return drafts.some(({ kind }) => kind === 'convolution') ? drafts : undefined;
}

/** Returns the size of an image. inputShape: [height, width, channels], or [values]. */
export function inputSize(inputShape: readonly number[]): Size {
  const [height, width, channels] = inputShape.length === 1 ? [1, 1, inputShape[0]] : inputShape;
  return { height: height!, width: width!, channels: channels! };
}

/** Returns the layers in their order, without those that only name the input, or undefined if the network branches. */
function lineOf(topology: Topology): readonly TopologyLayer[] | undefined {
  const { layers } = topology.config;
  let before: string | undefined;
  for (const layer of layers) {
    const inbound = JSON.stringify(layer.inbound_nodes ?? []);
    const isFirst = before === undefined;
    const follows = inbound === JSON.stringify([[[before, 0, 0, {}]]]);
    if (topology.class_name !== 'Sequential' && !(isFirst ? inbound === '[]' : follows)) return undefined;
    before = nameOf(layer);
  }
  if (before !== outputName(topology)) return undefined;
  return layers.filter(({ class_name }) => class_name !== 'InputLayer');
}

/** Adds a layer to the drafts. Returns the size of its output, or undefined if chains have no such layer. */
function append(drafts: Draft[], layer: TopologyLayer, size: Size, isFlat: boolean): Size | undefined {
  const { config } = layer;
  const last = drafts.at(-1);
  const values = size.height * size.width * size.channels;
  const none = {
    layer: nameOf(layer),
    size,
    kernel: [1, 1],
    filters: 0,
    same: false,
    hasBias: false,
    relu: false,
  } as const;
  switch (layer.class_name) {
    case 'Flatten':
      return { height: 1, width: 1, channels: values };
    case 'Activation':
    case 'ReLU': {
      const activation = layer.class_name === 'ReLU' ? reluOf(config) : config.activation;
      if (activation === 'linear') return size;
      if (activation !== 'relu' || last?.kind !== 'convolution') return undefined;
      last.relu = true; // the maximum of a window is the same before and after relu
      return size;
    }
    case 'Dropout':
      if (config.noise_shape) return undefined;
      drafts.push({ ...none, kind: 'dropout', pool: 1, rate: Number(config.rate) });
      return size;
    case 'GlobalAveragePooling2D':
      if (!isChannelsLast(config) || config.keepdims === true || isFlat) return undefined;
      drafts.push({ ...none, kind: 'mean', pool: 1, rate: 0 });
      return { height: 1, width: 1, channels: size.channels };
    case 'MaxPooling2D':
      return pooled(last, config, size);
    case 'Dense':
      if (size.height * size.width !== 1) return undefined;
      return convolved(drafts, layer, size, { kernel: [1, 1], filters: Number(config.units), same: false });
    case 'Conv2D': {
      const [kernel, strides] = [pairOf(config.kernel_size), pairOf(config.strides ?? 1)];
      if (!isChannelsLast(config) || !kernel || strides?.join() !== '1,1') return undefined;
      return convolved(drafts, layer, size, {
        kernel,
        filters: Number(config.filters),
        same: config.padding === 'same',
      });
    }
    default:
      return undefined;
  }
}

function convolved(
  drafts: Draft[],
  layer: TopologyLayer,
  size: Size,
  of: { readonly kernel: readonly [number, number]; readonly filters: number; readonly same: boolean },
): Size | undefined {
  const { activation = 'linear', use_bias } = layer.config;
  if (activation !== 'relu' && activation !== 'linear') return undefined;
  const [height, width] = of.same
    ? [size.height, size.width]
    : [size.height - of.kernel[0] + 1, size.width - of.kernel[1] + 1];
  if (height < 1 || width < 1) return undefined;
  const hasBias = use_bias !== false;
  drafts.push({
    kind: 'convolution',
    layer: nameOf(layer),
    size,
    ...of,
    hasBias,
    relu: activation === 'relu',
    pool: 1,
    rate: 0,
  });
  return { height, width, channels: of.filters };
}

function pooled(last: Draft | undefined, config: TopologyLayer['config'], size: Size): Size | undefined {
  const pool = pairOf(config.pool_size ?? 2);
  const strides = pairOf(config.strides ?? config.pool_size ?? 2);
  const side = pool?.[0] ?? 0;
  const isPlain = pool?.join() === `${side},${side}` && strides?.join() === pool.join() && isChannelsLast(config);
  const isWhole = config.padding !== 'same' || (size.height % side === 0 && size.width % side === 0);
  const isBehind = last?.kind === 'convolution' && last.pool === 1;
  if (!isPlain || !isWhole || !isBehind || side < 2 || side > Math.min(MOST_POOL, size.height, size.width))
    return undefined;
  last.pool = side;
  return { height: Math.floor(size.height / side), width: Math.floor(size.width / side), channels: size.channels };
}

const isChannelsLast = ({ data_format }: TopologyLayer['config']): boolean =>
  data_format === undefined ||
  data_format === null ||
  data_format === 'channels_last' ||
  data_format === 'channelsLast';

function pairOf(value: unknown): readonly [number, number] | undefined {
  const all = [value].flat().map(Number);
  if (all.some((each) => !Number.isInteger(each) || each < 1)) return undefined;
  const [first, second = first] = all;
  return all.length <= 2 ? [first!, second!] : undefined;
}

const reluOf = (config: TopologyLayer['config']): unknown =>
  (config.max_value ?? null) === null ? 'relu' : 'bounded relu';
