// Batch normalisation over the rows of a shard. It replaces Keras' layer, so that the statistics do not depend on which
// worker computes a shard.
import type * as Tf from '@tensorflow/tfjs-node';
import { type Backend, one } from './backend.js';
import { SHARD_NORMALIZATION } from './topology.js';

type TensorFlow = typeof Tf;

/** The moments that a layer of batch normalisation computed in a pass with training, [channels] each. */
export interface Seen {
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** Batch normalisation that keeps the moments of a pass instead of changing its moving averages. */
export interface ShardNormalized {
  readonly momentum: number;
  seen: Seen | undefined;
}

/** The members of TensorFlow.js' own batch normalisation that its type leaves out. */
interface Normalization extends Tf.layers.Layer {
  readonly axis: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly gamma?: { read(): Tf.Tensor1D };
  readonly beta?: { read(): Tf.Tensor1D };
}

/**
 * Makes batch normalisation over the rows of a shard (Ioffe & Szegedy 2015, algorithm 1). Variances are those of the
 * rows, not estimates (as in Keras 3).
 */
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
        // TensorFlow's operation normalises the last dimension.
        const isLast = channels === x.rank - 1;
        const order = [...x.shape.keys()].filter((n) => n !== channels);
        const last = isLast ? x : x.transpose([...order, channels]);
        const size = x.shape[channels]!;
        const gamma = this.gamma?.read() ?? tf.ones([size]);
        const beta = this.beta?.read() ?? tf.zeros([size]);
        const lines = last.reshape([-1, 1, 1, size]);
        const y = normalised(tf, [lines, gamma, beta], this.epsilon, (seen) => {
          this.seen = seen;
        }).reshape(last.shape);
        if (isLast) return y;
        const back = [...x.shape.keys()].map((n) => (n === channels ? x.rank - 1 : order.indexOf(n)));
        return y.transpose(back);
      });
    }
  };
}

/** Normalises with TensorFlow's own operation and its gradient. x: [n, 1, 1, channels]; gamma and beta: [channels]. */
function normalised(
  tf: TensorFlow,
  given: readonly [x: Tf.Tensor, gamma: Tf.Tensor, beta: Tf.Tensor],
  epsilon: number,
  saw: (seen: Seen) => void,
): Tf.Tensor {
  const backend = tf.backend() as unknown as Backend;
  const { TF_FLOAT, TF_ATTR_TYPE, TF_ATTR_FLOAT, TF_ATTR_BOOL, TF_ATTR_STRING } = backend.binding;
  const attributes = [
    { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT },
    { name: 'U', type: TF_ATTR_TYPE, value: TF_FLOAT },
    { name: 'epsilon', type: TF_ATTR_FLOAT, value: epsilon },
    { name: 'data_format', type: TF_ATTR_STRING, value: 'NHWC' },
    { name: 'is_training', type: TF_ATTR_BOOL, value: true },
  ];
  const compute = (...all: (Tf.Tensor | Tf.GradSaveFunc)[]) => {
    const [x, gamma, beta] = all as [Tf.Tensor, Tf.Tensor, Tf.Tensor];
    const none = tf.tensor1d([], 'float32');
    const found = backend.executeMultipleOutputs('FusedBatchNormV3', attributes, [x, gamma, beta, none, none], 6);
    const [value, , , mean, variance, rest] = found as [
      Tf.Tensor,
      Tf.Tensor,
      Tf.Tensor,
      Tf.Tensor,
      Tf.Tensor,
      Tf.Tensor,
    ];
    saw({ mean: mean.dataSync<'float32'>().slice(), variance: variance.dataSync<'float32'>().slice() });
    (all[3] as Tf.GradSaveFunc)([x, gamma, mean, variance, rest]);
    const gradFunc = (dy: Tf.Tensor, saved: Tf.Tensor[]): Tf.Tensor[] =>
      backend.executeMultipleOutputs('FusedBatchNormGradV3', attributes, [dy, ...saved], 5).slice(0, 3);
    return { value, gradFunc };
  };
  return tf.customGrad(compute)(...given);
}

/** Registers our batch normalisation. base: that of TensorFlow.js. */
export function registerBatchNormalization(tf: TensorFlow, base: unknown): void {
  tf.serialization.registerClass(shardNormalization(tf, base as new (config: object) => Normalization) as never);
}
