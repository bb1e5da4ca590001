// Makes a trainable model of the topology of a Keras model: finds its weights, inputs and outputs.
import { z } from 'zod';
import { memberName } from './ensemble.js';
import { glorot, type Initialiser, initialiserOf } from './initialisers.js';
import { type LayersModel, membersOf, offsetsOf, parametersOf, sizeOf, type Weight } from './model.js';
import { frozenWeights, networkOf, trainedWeights } from './tensorflow.js';
import { isStatistic, nameOf, type Topology, topologySchema, withLogits } from './topology.js';

/**
 * Builds the model once to find its weights. topology: the modelTopology of a model.json. Throws RangeError if the
 * model cannot be trained here.
 */
export async function describe(topology: unknown): Promise<LayersModel> {
  const parsed = topologySchema.safeParse(unwrapped(topology));
  if (!parsed.success) throw new RangeError(z.prettifyError(parsed.error).replace(/^✖ /, '').split('\n')[0]);
  const { topology: withoutActivation, activation } = withLogits(parsed.data);
  if (!['softmax', 'sigmoid', 'linear'].includes(activation))
    throw new RangeError(`it ends in ${activation}, where softmax, sigmoid or none is needed`);
  const network = await networkOf(withoutActivation);
  const untrained = frozenWeights(network);
  const frozen = untrained.find(({ originalName }) => !isStatistic(withoutActivation, originalName));
  if (frozen)
    throw new RangeError(`its weight ${frozen.originalName} is not trainable, and all weights are trained here`);
  const [inputs, outputs] = [shapeOf(network.inputs), shapeOf(network.outputs)];
  if (outputs.length !== 1)
    throw new RangeError(`its output is ${outputs.join(' x ')} where a value a class is needed`);
  const weights = [
    ...trainedWeights(network).map(({ originalName, shape }) => weightOf(withoutActivation, originalName, shape)),
    ...untrained.map(({ originalName, shape }): Weight => {
      return { ...weightOf(withoutActivation, originalName, shape), isStatistic: true };
    }),
  ];
  const objective = activation === 'sigmoid' ? 'sigmoid' : 'softmax';
  network.dispose();
  return { kind: 'layers', topology: withoutActivation, inputShape: inputs, classes: outputs[0]!, weights, objective };
}

/** Unwraps a topology, which Keras' converter puts into another object. */
const unwrapped = (topology: unknown): unknown =>
  typeof topology === 'object' && topology !== null && 'model_config' in topology ? topology.model_config : topology;

function shapeOf(tensors: readonly { readonly shape: readonly (number | null)[] }[]): number[] {
  if (tensors.length !== 1) throw new RangeError('it has several inputs or outputs');
  const [, ...shape] = tensors[0]!.shape;
  if (shape.some((size) => size === null)) throw new RangeError('its input has no fixed size');
  return shape as number[];
}

/** The member of a layer's config that names a weight's initialiser, and Keras' default for it. */
const INITIALISERS: Readonly<Record<string, readonly [member: string, otherwise: Initialiser]>> = {
  bias: ['bias_initializer', { kind: 'constant', value: 0 }],
  gamma: ['gamma_initializer', { kind: 'constant', value: 1 }],
  beta: ['beta_initializer', { kind: 'constant', value: 0 }],
  alpha: ['alpha_initializer', { kind: 'constant', value: 0 }],
  moving_mean: ['moving_mean_initializer', { kind: 'constant', value: 0 }],
  moving_variance: ['moving_variance_initializer', { kind: 'constant', value: 1 }],
  depthwise_kernel: ['depthwise_initializer', glorot()],
  pointwise_kernel: ['pointwise_initializer', glorot()],
};

function weightOf({ config }: Topology, name: string, shape: readonly number[]): Weight {
  const parts = name.split('/');
  const layer = config.layers.find((each) => nameOf(each) === parts.at(-2));
  const [member, otherwise] = INITIALISERS[parts.at(-1)!] ?? ['kernel_initializer', glorot()];
  return { name, shape: [...shape], initialiser: initialiserOf(layer?.config[member], otherwise) };
}

/** A weight in the files of a saved model. */
export interface SavedWeight {
  readonly shape: readonly number[];
  /** Where the weight begins and ends in the files, in floats. */
  readonly start: number;
  readonly end: number;
}

/**
 * Returns saved weights as a flat vector of parameters. Throws RangeError naming a weight that is missing or of another
 * shape.
 */
export function parametersIn(
  model: LayersModel,
  saved: ReadonlyMap<string, SavedWeight>,
  floats: Float32Array,
): Float32Array {
  const parameters = new Float32Array(parametersOf(model));
  savedWeights(model).forEach(({ name, shape, offset }) => {
    const found = saved.get(name) ?? onlyOneThatEndsIn(saved, name);
    if (!found) throw new RangeError(`it has no weight ${name}`);
    if (String(found.shape) !== String(shape))
      throw new RangeError(`weight ${name} is ${found.shape.join(' x ')} where ${shape.join(' x ')} is needed`);
    parameters.set(floats.subarray(found.start, found.end), offset);
  });
  return parameters;
}

/** Finds a weight by the end of its name, because Keras writes the name of the model before it. */
function onlyOneThatEndsIn(saved: ReadonlyMap<string, SavedWeight>, name: string): SavedWeight | undefined {
  const found = [...saved].filter(([each]) => each.endsWith(`/${name}`));
  return found.length === 1 ? found[0]![1] : undefined;
}

/**
 * Returns the weights of all members by the names in saved models, and where each begins in the parameters, in floats.
 */
export function savedWeights(model: LayersModel): (Pick<Weight, 'name' | 'shape'> & { readonly offset: number })[] {
  const members = membersOf(model);
  return Array.from({ length: members }, (_, member) => {
    const offsets = offsetsOf(model, member);
    return model.weights.map(({ name, shape }, w) => {
      return { name: members === 1 ? name : memberName(member, name), shape, offset: offsets[w]! };
    });
  }).flat();
}

/** Yields the bytes of the weights, in the order of savedWeights(). */
export function* weightBytes(model: LayersModel, parameters: Float32Array): Generator<Uint8Array> {
  for (const { shape, offset } of savedWeights(model)) {
    const values = parameters.slice(offset, offset + sizeOf(shape));
    yield new Uint8Array(values.buffer);
  }
}
