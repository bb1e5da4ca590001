// A network of TensorFlow.js layers as JSON: its topology, and the place of each of its weights in the flat vector of
// parameters.
import { z } from 'zod';
import { aligned } from '../../engine/space.js';
import { PseudolabelError } from '../../errors.js';
import { keyOf, Stream } from '../../random.js';
import { type Initialiser, initialiserSchema, initialValues } from './initialisers.js';
import { type Topology, topologySchema } from './topology.js';

export interface Weight {
  /** The name in TensorFlow.js, such as conv2d_1/kernel. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly initialiser: Initialiser;
  /** Set for a moving average of what shards compute, such as that of batch normalisation, instead of a weight. */
  readonly isStatistic?: true;
}

/** Any tf.LayersModel with one input and one output, which is the logits of the classes. */
export interface LayersModel {
  readonly kind: 'layers';
  /** The topology in Keras' form. Its last layer has no activation, because that belongs to the loss. */
  readonly topology: Topology;
  /** The shape of an image: [height, width, channels], or [values]. */
  readonly inputShape: readonly number[];
  readonly classes: number;
  /** The trained weights in the order of the layers, and the statistics behind them. */
  readonly weights: readonly Weight[];
  readonly objective: 'softmax' | 'sigmoid';
  /**
   * The number of networks that are trained side by side on the same rows, each from initial weights of its own. Their
   * prediction is the mean of their probabilities (an ensemble: Hansen & Salamon 1990). Defaults to 1.
   */
  readonly members?: number;
}

const size = z
  .int()
  .min(1)
  .max(2 ** 24);
const MOST_WEIGHTS = 1000;
const MOST_MEMBERS = 16;

export const layersSchema = z
  .strictObject({
    kind: z.literal('layers'),
    topology: topologySchema,
    inputShape: z.array(size).min(1).max(3),
    classes: size,
    weights: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(200),
          shape: z.array(size).max(6),
          initialiser: initialiserSchema,
          isStatistic: z.literal(true).exactOptional(),
        }),
      )
      .min(1)
      .max(MOST_WEIGHTS),
    objective: z.enum(['softmax', 'sigmoid']),
    members: z.int().min(1).max(MOST_MEMBERS).exactOptional(),
  })
  .refine(
    ({ weights }) => weights.every(({ isStatistic }, w) => isStatistic || !weights[w - 1]?.isStatistic),
    'statistics are behind the weights',
  )
  .refine(
    ({ members = 1, objective }) => members === 1 || objective === 'softmax',
    'probabilities of several members are those of softmax',
  )
  .refine((model) => parametersOf(model) <= 2 ** 30, 'a model has at most 2^30 parameters');

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, each) => product * each, 1);

type Weights = Pick<LayersModel, 'weights' | 'members'>;

export const membersOf = ({ members = 1 }: Pick<LayersModel, 'members'>): number => members;

const floatsOf = (weights: readonly Weight[]): number =>
  weights.reduce((length, { shape }) => length + aligned(sizeOf(shape)), 0);

/**
 * Returns where each weight of a member begins, in floats. The trained weights of all members come first, then the
 * statistics of all.
 */
export function offsetsOf(model: Weights, member = 0): number[] {
  const { weights } = model;
  const trained = floatsOf(weights.filter(({ isStatistic }) => !isStatistic));
  const statistics = floatsOf(weights) - trained;
  const shifts = {
    trained: member * trained,
    statistics: (membersOf(model) - 1) * trained + member * statistics,
  };
  let end = 0;
  return weights.map(({ shape, isStatistic }) => {
    const start = end;
    end += aligned(sizeOf(shape));
    return start + (isStatistic ? shifts.statistics : shifts.trained);
  });
}

/**
 * Returns where the statistics begin, which no optimizer changes. If there are none, that is the end of the parameter
 * vector.
 */
export const statisticsStart = (model: Weights): number =>
  membersOf(model) * floatsOf(model.weights.filter(({ isStatistic }) => !isStatistic));

/** Returns the length of the parameter vector, with the padding between weights, which stays 0. */
export const parametersOf = (model: Weights): number => membersOf(model) * floatsOf(model.weights);

/** Returns the number of inputs of the last dense layer. Throws E_MODEL if the network does not end in one. */
export function featuresOf({ weights, classes }: Pick<LayersModel, 'weights' | 'classes'>): number {
  const last = weights.findLast(({ shape }) => shape.length > 1);
  if (last && last.shape.length === 2 && last.shape[1] === classes) return last.shape[0]!;
  const fix = 'end the network in a dense layer, or leave features out of graph.descriptors';
  throw new PseudolabelError(
    'E_MODEL',
    'the network does not end in a dense layer, whose inputs are its features',
    fix,
  );
}

/** Draws each weight by its initialiser, from a stream of its own. */
export function initialParameters(model: LayersModel, seed: number, stage: number): Float32Array {
  const parameters = new Float32Array(parametersOf(model));
  for (let member = 0; member < membersOf(model); member++) {
    const offsets = offsetsOf(model, member);
    model.weights.forEach(({ shape, initialiser }, w) => {
      const stream = new Stream(keyOf(seed, 'init', stage, w, ...(member > 0 ? [member] : [])));
      parameters.set(initialValues(initialiser, shape, stream), offsets[w]!);
    });
  }
  return parameters;
}
