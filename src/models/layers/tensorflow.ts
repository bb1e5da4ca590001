// Builds networks of TensorFlow.js layers whose weights are the parameters in an arena.
import { createRequire } from 'node:module';
import util from 'node:util';
import type * as Tf from '@tensorflow/tfjs-node';
import { PseudolabelError } from '../../errors.js';
import { Stream } from '../../random.js';
import type { MaskStream } from '../kind.js';
import { type LayersModel, offsetsOf, sizeOf } from './model.js';
import { KEYED_DROPOUT, withKeyedDropout } from './topology.js';

export type TensorFlow = typeof Tf;

/** The whole of tfjs-node, which takes a second to load: only those who train layers do. Throws E_NATIVE. */
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
      'run `pseudolabel doctor`',
      { cause },
    );
  }
}

/** A model that is built in this thread. */
export interface BuiltModel {
  readonly network: Tf.LayersModel;
  /** Its trained weights, in the order of LayersModel.weights. */
  readonly weights: readonly Tf.Variable[];
  /** The streams of the masks of the pass that comes next; undefined: a pass without dropout. */
  masks: MaskStream | undefined;
}

/** Throws RangeError where the topology does not build, or has other weights than the model says. */
export async function build(model: Pick<LayersModel, 'topology' | 'weights'>): Promise<BuiltModel> {
  registerKeyedDropout(tensorFlow());
  const network = await networkOf(withKeyedDropout(model.topology));
  const weights = trainedWeights(network).map(({ val }) => val);
  const built: BuiltModel = { network, weights, masks: undefined };
  for (const layer of network.layers)
    if (layer.getClassName() === KEYED_DROPOUT) (layer as unknown as Keyed).masks = () => built.masks;
  const shapes = JSON.stringify(weights.map(({ shape }) => shape));
  if (shapes !== JSON.stringify(model.weights.map(({ shape }) => shape)))
    throw new RangeError('the topology has other weights than the model says');
  return built;
}

/** Throws RangeError where TensorFlow.js cannot. */
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

/** A weight of a layer, whose name is as written in the topology where TensorFlow.js has not made it unique. */
interface LayerWeight {
  readonly originalName: string;
  readonly shape: readonly number[];
  readonly val: Tf.Variable;
}

export const trainedWeights = (network: Tf.LayersModel): readonly LayerWeight[] =>
  network.trainableWeights as unknown as LayerWeight[];

/** Those of layers that are not to be trained: no arena has them. */
export const frozenWeights = (network: Tf.LayersModel): readonly LayerWeight[] =>
  network.nonTrainableWeights as unknown as LayerWeight[];

/** Makes the weights of a built model the parameters at an address: what changes there, changes them. */
export function place(
  { weights }: BuiltModel,
  model: LayersModel,
  { memory, address }: { readonly memory: WebAssembly.Memory; readonly address: number },
): void {
  const tf = tensorFlow();
  const offsets = offsetsOf(model);
  weights.forEach((weight, w) => {
    const { shape } = model.weights[w]!;
    const values = new Float32Array(memory.buffer, address + 4 * offsets[w]!, sizeOf(shape));
    const tensor = tf.tensor(values, [...shape], 'float32');
    weight.assign(tensor);
    tensor.dispose(); // the variable keeps its data
  });
}

/** A layer that is given the streams of its masks after it was built. */
interface Keyed {
  masks: () => MaskStream | undefined;
}

/**
 * Dropout whose masks come from keyed streams: the same for the same step and shard, whoever computes it. TensorFlow.js finds the
 * classes of nested layers only in its own list, of which each thread has one.
 */
function registerKeyedDropout(tf: TensorFlow): void {
  if (KEYED_DROPOUT in tf.serialization.SerializationMap.getMap().classNameMap) return;
  class KeyedDropout extends tf.layers.Layer implements Keyed {
    static readonly className = KEYED_DROPOUT;
    readonly rate: number;
    readonly index: number;
    masks: Keyed['masks'] = () => undefined;

    constructor(config: { readonly rate: number; readonly index: number }) {
      super(config as never);
      this.rate = config.rate;
      this.index = config.index;
    }

    override call(inputs: Tf.Tensor | Tf.Tensor[]): Tf.Tensor {
      const x = Array.isArray(inputs) ? inputs[0]! : inputs;
      const draw = this.masks();
      if (!draw || this.rate === 0) return x;
      return tf.tidy(() => tf.mul(x, tf.tensor(maskOf(draw(this.index), x.size, this.rate), x.shape, 'float32')));
    }
  }
  tf.serialization.registerClass(KeyedDropout as never);
}

/** Zeros at a rate, and else what makes up for them. state: 16 words, of which the first generator is taken. */
function maskOf(state: Uint32Array, length: number, rate: number): Float32Array {
  const stream = new Stream(Uint32Array.from([0, 4, 8, 12], (word) => state[word]!));
  const scale = 1 / (1 - rate);
  return Float32Array.from({ length }, () => (stream.uniform() < rate ? 0 : scale));
}
