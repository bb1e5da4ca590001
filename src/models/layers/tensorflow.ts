// Builds networks of TensorFlow.js layers whose weights are the parameters in an arena.
import { createRequire } from 'node:module';
import util from 'node:util';
import type * as Tf from '@tensorflow/tfjs-node';
import { PseudolabelError } from '../../errors.js';
import type { MaskStream } from '../kind.js';
import type { ShardNormalized } from './batch-normalization.js';
import type { Keyed } from './dropout.js';
import { type LayersModel, membersOf, offsetsOf, sizeOf } from './model.js';
import { registerReplacedLayers } from './replaced-layers.js';
import { KEYED_DROPOUT, withOwnLayers } from './topology.js';

export type TensorFlow = typeof Tf;

/** Loads the whole of tfjs-node, which takes a second, when layers are first trained. Throws E_NATIVE. */
export function tensorFlow(): TensorFlow {
  // tfjs-node 4.22 calls this function, which Node 23 removed.
  const node = util as { isNullOrUndefined?: (value: unknown) => boolean };
  node.isNullOrUndefined ??= (value) => value === null || value === undefined;
  try {
    return createRequire(import.meta.url)('@tensorflow/tfjs-node') as TensorFlow;
  } catch (cause) {
    throw new PseudolabelError(
      'E_NATIVE',
      `TensorFlow.js does not load: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      'run `npx pseudolabel setup`: it makes the library ready, or says what is missing',
      { cause },
    );
  }
}

/** A model that is built in this thread. */
export interface BuiltModel {
  readonly network: Tf.LayersModel;
  /** Its trained weights, in the order of LayersModel.weights. */
  readonly weights: readonly Tf.Variable[];
  /** Its statistics, in the same order behind the weights. */
  readonly statistics: readonly BuiltStatistic[];
  /** The streams of the next pass's masks; undefined for a pass without dropout. */
  masks: MaskStream | undefined;
}

/** A moving average, and the layer that computes its moments. */
interface BuiltStatistic {
  readonly variable: Tf.Variable;
  readonly layer: ShardNormalized;
  readonly moment: 'mean' | 'variance';
}

/** Builds a model. Throws RangeError if the topology does not build, or if it has other weights than the model says. */
export async function build(model: Pick<LayersModel, 'topology' | 'weights'>): Promise<BuiltModel> {
  registerReplacedLayers(tensorFlow());
  const network = await networkOf(withOwnLayers(model.topology));
  const weights = trainedWeights(network).map(({ val }) => val);
  const statistics = frozenWeights(network).map((weight) => statisticOf(network, weight));
  const built: BuiltModel = { network, weights, statistics, masks: undefined };
  for (const layer of network.layers)
    if (layer.getClassName() === KEYED_DROPOUT) (layer as unknown as Keyed).masks = () => built.masks;
  const shapes = [...weights, ...statistics.map(({ variable }) => variable)].map(({ shape }) => shape);
  if (JSON.stringify(shapes) !== JSON.stringify(model.weights.map(({ shape }) => shape)))
    throw new RangeError('the topology has other weights than the model says');
  return built;
}

function statisticOf(network: Tf.LayersModel, { originalName, val }: LayerWeight): BuiltStatistic {
  const [name, layer] = originalName.split('/').toReversed();
  const owner = network.getLayer(layer!) as unknown as ShardNormalized;
  return { variable: val, layer: owner, moment: name === 'moving_mean' ? 'mean' : 'variance' };
}

/** Builds a network. Throws RangeError if TensorFlow.js cannot. */
export async function networkOf(topology: object): Promise<Tf.LayersModel> {
  const tf = tensorFlow();
  try {
    return await tf.models.modelFromJSON(topology as never);
  } catch (error) {
    throw new RangeError(`TensorFlow.js cannot build it: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

/** A weight of a layer. originalName is the name in the topology, before TensorFlow.js made it unique. */
interface LayerWeight {
  readonly originalName: string;
  readonly shape: readonly number[];
  readonly val: Tf.Variable;
}

export const trainedWeights = (network: Tf.LayersModel): readonly LayerWeight[] =>
  network.trainableWeights as unknown as LayerWeight[];

/** Returns the weights of layers that are not to be trained, which no arena holds. */
export const frozenWeights = (network: Tf.LayersModel): readonly LayerWeight[] =>
  network.nonTrainableWeights as unknown as LayerWeight[];

/**
 * Builds each member of a model on the parameters at an address: a change there changes the member's weights and
 * statistics.
 */
export function buildAt(
  model: LayersModel,
  at: { readonly memory: WebAssembly.Memory; readonly address: number },
): Promise<BuiltModel[]> {
  return Promise.all(
    Array.from({ length: membersOf(model) }, async (_, member) => {
      const built = await build(model);
      place(built, model, member, at);
      return built;
    }),
  );
}

function place(
  { weights, statistics }: BuiltModel,
  model: LayersModel,
  member: number,
  { memory, address }: { readonly memory: WebAssembly.Memory; readonly address: number },
): void {
  const tf = tensorFlow();
  const offsets = offsetsOf(model, member);
  [...weights, ...statistics.map(({ variable }) => variable)].forEach((weight, w) => {
    const { shape } = model.weights[w]!;
    const values = new Float32Array(memory.buffer, address + 4 * offsets[w]!, sizeOf(shape));
    const tensor = tf.tensor(values, [...shape], 'float32');
    weight.assign(tensor);
    tensor.dispose(); // the variable keeps its data
  });
}
