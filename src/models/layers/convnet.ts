// The built-in convolutional network: small, and good where labels are few.
import type { Topology, TopologyLayer } from './topology.js';

/** Filters of its three convolutions, and the sizes of their windows: chosen for MNIST and the like, some 60,000 parameters. */
const CONVOLUTIONS = [
  { filters: 24, window: 5 },
  { filters: 48, window: 3 },
  { filters: 96, window: 3 },
] as const;

/** Smaller images are padded, so that something is left of them. */
const LEAST_UNPADDED = 20;
const LEAST = 4;

/** conv 5x5-24, pool, conv 3x3-48, pool, conv 3x3-96, dense: of 28 x 28 pixels, 61,258 parameters. Throws RangeError below 4 x 4. */
export function convnet(
  inputShape: readonly [height: number, width: number, channels: number],
  classes: number,
): Topology {
  const smallest = Math.min(inputShape[0], inputShape[1]);
  if (smallest < LEAST) throw new RangeError(`convnet takes images from ${LEAST} x ${LEAST} pixels`);
  const padding = smallest < LEAST_UNPADDED ? 'same' : 'valid';
  const layers: TopologyLayer[] = [];
  const add = (class_name: string, config: Record<string, unknown>): void => {
    const input = layers.length === 0 ? { batch_input_shape: [null, ...inputShape] } : {};
    layers.push({ class_name, config: { ...input, trainable: true, ...config } });
  };
  CONVOLUTIONS.forEach(({ filters, window }, n) => {
    const convolution = { filters, kernel_size: [window, window], padding, activation: 'relu' };
    const kernel_initializer = { class_name: 'HeNormal', config: {} };
    add('Conv2D', { name: `conv_${n + 1}`, ...convolution, use_bias: true, kernel_initializer });
    if (n < CONVOLUTIONS.length - 1) add('MaxPooling2D', { name: `pool_${n + 1}`, pool_size: [2, 2] });
  });
  add('Flatten', { name: 'flatten' });
  add('Dense', { name: 'classes', units: classes, activation: 'softmax', use_bias: true });
  return { class_name: 'Sequential', config: { name: 'convnet', layers } };
}
