// The list of our layers that replace Keras' own in training: dropout, batch normalisation, convolution and pooling.
import type * as Tf from '@tensorflow/tfjs-node';
import { registerBatchNormalization } from './batch-normalization.js';
import { registerDropout } from './dropout.js';
import { registerFastLayers } from './fast-convolution.js';
import { KEYED_DROPOUT } from './topology.js';

/**
 * Registers our layers. TensorFlow.js finds the classes of nested layers only in its own list, of which each thread has
 * one. tf: that of this thread.
 */
export function registerReplacedLayers(tf: typeof Tf): void {
  const known = tf.serialization.SerializationMap.getMap().classNameMap;
  if (KEYED_DROPOUT in known) return;
  registerDropout(tf);
  registerBatchNormalization(tf, known.BatchNormalization![0]);
  registerFastLayers(tf, known as unknown as Readonly<Record<string, readonly unknown[]>>);
}
