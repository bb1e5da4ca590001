// Translates between the topologies of Keras 3, which .keras files have, and those of Keras 2, which TensorFlow.js
// reads.
import { z } from 'zod';
import { type Topology, type TopologyLayer, withLayers } from './layers/topology.js';

const LAYER = z.looseObject({
  class_name: z.string(),
  config: z.record(z.string(), z.unknown()),
  name: z.string().optional(),
  inbound_nodes: z.array(z.unknown()).optional(),
});
const MODEL = z.looseObject({
  class_name: z.string(),
  config: z.looseObject({ layers: z.array(LAYER).min(1) }),
});

/** Functions that have another name in Keras 3 than in TensorFlow.js. */
const ACTIVATIONS: Readonly<Record<string, string>> = { silu: 'swish' };
/** Members of a layer's config that have another name: [Keras 3, Keras 2]. */
const RENAMED: Readonly<Record<string, readonly [keras: string, tfjs: string]>> = {
  InputLayer: ['batch_shape', 'batch_input_shape'],
  LeakyReLU: ['negative_slope', 'alpha'],
};

/**
 * Translates the config.json of a .keras file. Throws RangeError if it is not a Sequential or functional model of Keras
 * 3.
 */
export function fromKeras3(json: unknown): Topology {
  const { success, data } = MODEL.safeParse(json);
  if (!success) throw new RangeError('its config.json is not that of a Sequential or functional model');
  const { class_name, config } = data;
  const layers = config.layers.map(fromKeras3Layer);
  const ends = (given: unknown) => (Array.isArray(given) && typeof given[0] === 'string' ? [given] : given);
  const ours = { name: String(config.name ?? 'model'), layers };
  if (class_name === 'Sequential') return { class_name, config: ours };
  const [input_layers, output_layers] = [ends(config.input_layers), ends(config.output_layers)];
  return { class_name: 'Model', config: { ...ours, input_layers, output_layers } };
}

function fromKeras3Layer({ class_name, config, name, inbound_nodes }: z.infer<typeof LAYER>): TopologyLayer {
  const { dtype: _, ...kept } = config;
  const changed = renamed(kept, RENAMED[class_name]);
  const { activation } = changed;
  if (typeof activation === 'object' && activation !== null)
    throw new RangeError(`the layer ${String(config.name)} has an activation that is no name`);
  const own = {
    ...changed,
    ...(typeof activation === 'string' && { activation: ACTIVATIONS[activation] ?? activation }),
  };
  const nodes = inbound_nodes && { inbound_nodes: inbound_nodes.map(legacyNode) };
  return { class_name, config: own, name: name ?? String(config.name), ...nodes };
}

function renamed(
  config: Readonly<Record<string, unknown>>,
  names: readonly [from: string, to: string] | undefined,
): Record<string, unknown> {
  if (!names || !(names[0] in config)) return { ...config };
  const [from, to] = names;
  const { [from]: value, ...rest } = config;
  return { ...rest, [to]: value };
}

const HISTORY = z.looseObject({
  config: z.looseObject({ keras_history: z.tuple([z.string(), z.number(), z.number()]) }),
});
const NODE = z.looseObject({ args: z.array(z.unknown()) });

/** Returns [name of the layer, its node, its output, arguments] of each tensor that goes into a layer. */
function legacyNode(node: unknown): unknown {
  const { success, data } = NODE.safeParse(node);
  if (!success) return node;
  return data.args.flat().map((tensor) => {
    const history = HISTORY.safeParse(tensor);
    if (!history.success) throw new RangeError('a layer takes something else than the outputs of layers');
    return [...history.data.config.keras_history, {}];
  });
}

/**
 * Returns the config.json of a .keras file. Nodes keep the form of Keras 2, which Keras 3 reads. inputShape: without
 * rows.
 */
export function toKeras3(topology: Topology, inputShape: readonly number[]): object {
  const [first] = topology.config.layers;
  const hasInput = first?.class_name === 'InputLayer';
  const changed = withLayers(topology, toKeras3Layer);
  const input = { class_name: 'InputLayer', config: { batch_shape: [null, ...inputShape], name: 'images' } };
  const isSequential = topology.class_name === 'Sequential';
  const layers = isSequential && !hasInput ? [input, ...changed.config.layers] : changed.config.layers;
  return {
    module: isSequential ? 'keras' : 'keras.src.models.functional',
    class_name: isSequential ? 'Sequential' : 'Functional',
    config: { ...changed.config, layers: layers.map((each) => ({ module: 'keras.layers', ...each })) },
    registered_name: isSequential ? null : 'Functional',
  };
}

/** The members of a layer's config that Keras 2 and TensorFlow.js write and Keras 3 does not know. */
const UNKNOWN = ['batch_input_shape', 'input_dtype', 'dtype', 'sparse', 'ragged', 'index'];

function toKeras3Layer({ class_name, config, ...rest }: TopologyLayer): TopologyLayer {
  const [keras, tfjs] = RENAMED[class_name] ?? [];
  const named = renamed(config, keras && tfjs ? [tfjs, keras] : undefined);
  const kept = Object.fromEntries(Object.entries(named).filter(([key]) => !UNKNOWN.includes(key)));
  const { activation } = kept;
  const found = Object.entries(ACTIVATIONS).find(([, name]) => name === activation);
  return { ...rest, class_name, config: found ? { ...kept, activation: found[0] } : kept };
}

/**
 * Returns the group that holds the weights of each layer in a .keras file, in the order of the layers. Keras numbers
 * the layers of each class.
 */
export function groupsOf(layers: readonly Pick<TopologyLayer, 'class_name'>[]): string[] {
  const counts = new Map<string, number>();
  return layers.map(({ class_name }) => {
    const name = snakeCase(class_name);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return `layers/${count === 0 ? name : `${name}_${count}`}/vars`;
  });
}

/** Converts a class name as Keras does: MaxPooling2D becomes max_pooling2d, and PReLU becomes p_re_lu. */
const snakeCase = (name: string): string =>
  name
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
