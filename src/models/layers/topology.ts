// Topologies of Keras models: which layers can be trained here, and how they are changed for that.
import { z } from 'zod';

/** One layer, with its config in Keras' names. */
export interface TopologyLayer {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly name?: string | undefined;
  readonly inbound_nodes?: unknown;
}

export interface Topology {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly layers: readonly TopologyLayer[] };
}

/** Layers that compute each row on its own, draw nothing, and keep no statistics. */
const PLAIN = [
  ...['InputLayer', 'Dense', 'Activation', 'ReLU', 'LeakyReLU', 'PReLU', 'ELU', 'Softmax'],
  ...['Conv1D', 'Conv2D', 'Conv2DTranspose', 'SeparableConv2D', 'DepthwiseConv2D', 'Cropping2D', 'ZeroPadding2D'],
  ...['UpSampling2D', 'MaxPooling1D', 'MaxPooling2D', 'AveragePooling1D', 'AveragePooling2D'],
  ...['GlobalMaxPooling1D', 'GlobalMaxPooling2D', 'GlobalAveragePooling1D', 'GlobalAveragePooling2D'],
  ...['Flatten', 'Reshape', 'Permute', 'RepeatVector', 'LayerNormalization', 'Rescaling'],
  ...['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'],
] as const;
const DROPOUT = 'Dropout';
const BATCH_NORMALIZATION = 'BatchNormalization';

/** The classes of layers that can be trained here. */
export const USABLE: ReadonlySet<string> = new Set([...PLAIN, DROPOUT, BATCH_NORMALIZATION]);
const MOST_LAYERS = 500;
const MOST_CHARACTERS = 2 ** 18;

/**
 * Members of a config that add to the loss or constrain weights. They are refused, because training uses the gradient
 * of the loss alone.
 */
const LEFT_OUT = /_(regularizer|constraint)$/;

/** Members of a config that TensorFlow.js ignores, or has no gradient for, unless they have these values. */
const NEUTRAL: Readonly<Record<string, number>> = { dilation_rate: 1, groups: 1, negative_slope: 0, threshold: 0 };

const firstNotNeutral = (config: Readonly<Record<string, unknown>>): string | undefined =>
  Object.keys(NEUTRAL).find((key) => [config[key] ?? NEUTRAL[key]].flat().some((value) => value !== NEUTRAL[key]));

const layer = z.looseObject({
  class_name: z
    .string()
    .max(100)
    .refine((name) => USABLE.has(name), {
      error: ({ input }) => `layers of the class ${String(input)} cannot be trained here`,
    }),
  config: z
    .record(z.string(), z.unknown())
    .refine((config) => Object.entries(config).every(([key, value]) => !LEFT_OUT.test(key) || value === null), {
      error: ({ input }) => `the layer ${String((input as { name?: unknown }).name)} has a regularizer or a constraint`,
    })
    .refine((config) => firstNotNeutral(config) === undefined, {
      error: ({ input }) => {
        const config = input as Record<string, unknown>;
        const key = firstNotNeutral(config)!;
        return `the layer ${String(config.name)} has a ${key} other than ${NEUTRAL[key]}`;
      },
    }),
  name: z.string().max(200).optional(),
});

export const topologySchema: z.ZodType<Topology> = z
  .looseObject({
    class_name: z.enum(['Sequential', 'Functional', 'Model'], {
      error: 'only a Sequential or a functional model can be trained',
    }),
    config: z.looseObject({ layers: z.array(layer).min(1).max(MOST_LAYERS) }),
  })
  .refine((topology) => JSON.stringify(topology).length <= MOST_CHARACTERS, 'the topology is too long')
  .refine(({ config }) => endsOf(config.input_layers) <= 1, 'the model has several inputs')
  .refine(({ config }) => endsOf(config.output_layers) <= 1, 'the model has several outputs');

const endsOf = (ends: unknown): number => (Array.isArray(ends) && Array.isArray(ends[0]) ? ends.length : 1);

export const nameOf = ({ name, config }: TopologyLayer): string => name ?? String(config.name);

/** Returns the name of the model's last layer. */
export function outputName({ config }: Topology): string {
  const [first] = Array.isArray(config.output_layers) ? (config.output_layers as unknown[]) : [];
  if (typeof first === 'string') return first;
  return Array.isArray(first) ? String(first[0]) : nameOf(config.layers.at(-1)!);
}

/** Returns the same topology with each layer changed. */
export const withLayers = (topology: Topology, change: (layer: TopologyLayer) => TopologyLayer): Topology => ({
  ...topology,
  config: { ...topology.config, layers: topology.config.layers.map(change) },
});

/** Returns the same model without its last activation, and that activation: 'linear' if there is none. */
export function withLogits(topology: Topology): { readonly topology: Topology; readonly activation: string } {
  const name = outputName(topology);
  let activation = 'linear';
  const changed = withLayers(topology, (each) => {
    if (nameOf(each) !== name) return each;
    if (each.class_name === 'Softmax') {
      activation = 'softmax';
      return { ...each, class_name: 'Activation', config: { name, activation: 'linear', trainable: true } };
    }
    activation = String(each.config.activation ?? 'linear');
    return 'activation' in each.config ? { ...each, config: { ...each.config, activation: 'linear' } } : each;
  });
  return { topology: changed, activation };
}

/** Returns the same model with an activation at its end, as it is saved. */
export function withActivation(topology: Topology, activation: string): Topology {
  const name = outputName(topology);
  return withLayers(topology, (each) =>
    nameOf(each) === name && 'activation' in each.config ? { ...each, config: { ...each.config, activation } } : each,
  );
}

/** The classes of our layers: their masks come from our streams, and their statistics go into our vector. */
export const KEYED_DROPOUT = 'KeyedDropout';
export const SHARD_NORMALIZATION = 'ShardNormalization';
export const FAST_CONVOLUTION = 'FastConvolution';
export const FAST_POOLING = 'FastPooling';

/** Our classes by the names of Keras'. */
const OWN: ReadonlyMap<string, string> = new Map([
  [BATCH_NORMALIZATION, SHARD_NORMALIZATION],
  ['Conv2D', FAST_CONVOLUTION],
  ['MaxPooling2D', FAST_POOLING],
]);

/** Returns the same model with our layers instead of those that draw, keep statistics or are slow. */
export function withOwnLayers(topology: Topology): Topology {
  let index = 0;
  return withLayers(topology, (each) => {
    const { class_name: name, config } = each;
    if (name === DROPOUT) return { ...each, class_name: KEYED_DROPOUT, config: { ...config, index: index++ } };
    return { ...each, class_name: OWN.get(name) ?? name };
  });
}

/** Returns whether a weight that Keras does not train is a statistic. name: as written in the topology. */
export const isStatistic = ({ config }: Topology, name: string): boolean => {
  const [weight, layer] = name.split('/').toReversed();
  const found = config.layers.find((each) => nameOf(each) === layer);
  const isMoving = weight === 'moving_mean' || weight === 'moving_variance';
  return isMoving && found?.class_name === BATCH_NORMALIZATION && found.config.trainable !== false;
};
