// Layers of our own, in the place of Keras' that draw or remember: the same masks and statistics, whoever computes a shard.
import type * as Tf from '@tensorflow/tfjs-node';
import { Stream } from '../../random.js';
import type { MaskStream } from '../kind.js';
import { KEYED_DROPOUT, SHARD_NORMALIZATION } from './topology.js';

type TensorFlow = typeof Tf;

/** What a layer of batch normalisation has seen in a pass with training: [channels] each. */
export interface Seen {
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** Dropout, which is given the streams of its masks after it was built. */
export interface Keyed {
  masks: () => MaskStream | undefined;
}

/** Batch normalisation, which keeps what it has seen instead of changing its moving averages. */
export interface ShardNormalized {
  readonly momentum: number;
  seen: Seen | undefined;
}

/** The members of TensorFlow.js' own batch normalisation that its class has, but not its type. */
interface Normalization extends Tf.layers.Layer {
  readonly axis: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly gamma?: { read(): Tf.Tensor1D };
  readonly beta?: { read(): Tf.Tensor1D };
}

/**
 * TensorFlow.js finds the classes of nested layers only in its own list, of which each thread has one. tf: that of this thread.
 */
export function registerOwnLayers(tf: TensorFlow): void {
  const known = tf.serialization.SerializationMap.getMap().classNameMap;
  if (KEYED_DROPOUT in known) return;
  tf.serialization.registerClass(keyedDropout(tf) as never);
  const [base] = known.BatchNormalization as unknown as [new (config: object) => Normalization];
  tf.serialization.registerClass(shardNormalization(tf, base) as never);
}

function keyedDropout(tf: TensorFlow) {
  return class KeyedDropout extends tf.layers.Layer implements Keyed {
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
      const x = one(inputs);
      const draw = this.masks();
      if (!draw || this.rate === 0) return x;
      return tf.tidy(() => tf.mul(x, tf.tensor(maskOf(draw(this.index), x.size, this.rate), x.shape, 'float32')));
    }
  };
}

/** Ioffe & Szegedy 2015, algorithm 1, over the rows of a shard; variances are those of the rows, not estimates (as in Keras 3). */
function shardNormalization(tf: TensorFlow, base: new (config: object) => Normalization) {
  return class ShardNormalization extends base implements ShardNormalized {
    static readonly className = SHARD_NORMALIZATION;
    seen: Seen | undefined;

    override call(inputs: Tf.Tensor | Tf.Tensor[], kwargs: { readonly training?: boolean }): Tf.Tensor | Tf.Tensor[] {
      if (!kwargs.training) return super.call(inputs, kwargs);
      return tf.tidy(() => {
        const x = one(inputs);
        const axis = Number(this.axis);
        const channels = axis < 0 ? axis + x.rank : axis;
        const others = x.shape.map((_, n) => n).filter((n) => n !== channels);
        const { mean, variance } = tf.moments(x, others, true);
        this.seen = {
          mean: mean.dataSync<'float32'>().slice(),
          variance: variance.dataSync<'float32'>().slice(),
        };
        const along = (values: Tf.Tensor1D | undefined): Tf.Tensor | undefined => values?.reshape(mean.shape);
        const scale = tf.rsqrt(variance.add(this.epsilon));
        const gamma = along(this.gamma?.read());
        const beta = along(this.beta?.read());
        const normalised = x.sub(mean).mul(gamma ? scale.mul(gamma) : scale);
        return beta ? normalised.add(beta) : normalised;
      });
    }
  };
}

const one = (inputs: Tf.Tensor | Tf.Tensor[]): Tf.Tensor => (Array.isArray(inputs) ? inputs[0]! : inputs);

/** Zeros at a rate, and else what makes up for them. state: 16 words, of which the first generator is taken. */
function maskOf(state: Uint32Array, length: number, rate: number): Float32Array {
  const stream = new Stream(Uint32Array.from([0, 4, 8, 12], (word) => state[word]!));
  const scale = 1 / (1 - rate);
  return Float32Array.from({ length }, () => (stream.uniform() < rate ? 0 : scale));
}
