// The built-in convolutional network: small, and good if labels are few.
import { glorot, initialiserOf } from './initialisers.js';
import type { LayersModel, Weight } from './model.js';
import { type Topology, type TopologyLayer, withLogits } from './topology.js';

/**
 * The filters of its three convolutions and the sizes of their windows, some 60,000 parameters. They were chosen for
 * MNIST and similar images.
 */
const CONVOLUTIONS = [
  { filters: 24, window: 5 },
  { filters: 48, window: 3 },
  { filters: 96, window: 3 },
] as const;

/** Images with a smaller side are padded, so that the convolutions leave something of them. */
const LEAST_UNPADDED = 20;
const LEAST = 4;

const HE_NORMAL = { class_name: 'HeNormal', config: {} };

type InputShape = readonly [height: number, width: number, channels: number];

const paddingFor = ([height, width]: InputShape): 'same' | 'valid' =>
  Math.min(height, width) < LEAST_UNPADDED ? 'same' : 'valid';

/**
 * Returns conv 5x5-24, pool, conv 3x3-48, pool, conv 3x3-96, dense. For 28 x 28 pixels it has 61,258 parameters. Throws
 * RangeError below 4 x 4.
 */
export function convnet(inputShape: InputShape, classes: number): Topology {
  const smallest = Math.min(inputShape[0], inputShape[1]);
  if (smallest < LEAST) throw new RangeError(`convnet takes images from ${LEAST} x ${LEAST} pixels`);
  const padding = paddingFor(inputShape);
  const layers: TopologyLayer[] = [];
  const add = (class_name: string, config: Record<string, unknown>): void => {
    const input = layers.length === 0 ? { batch_input_shape: [null, ...inputShape] } : {};
    layers.push({ class_name, config: { ...input, trainable: true, ...config } });
  };
  CONVOLUTIONS.forEach(({ filters, window }, n) => {
    const convolution = { filters, kernel_size: [window, window], padding, activation: 'relu' };
    add('Conv2D', { name: `conv_${n + 1}`, ...convolution, use_bias: true, kernel_initializer: HE_NORMAL });
    if (n < CONVOLUTIONS.length - 1) add('MaxPooling2D', { name: `pool_${n + 1}`, pool_size: [2, 2] });
  });
  add('Flatten', { name: 'flatten' });
  add('Dense', { name: 'classes', units: classes, activation: 'softmax', use_bias: true });
  return { class_name: 'Sequential', config: { name: 'convnet', layers } };
}

/**
 * Returns the same model as describe(), without building the network: that loads TensorFlow, which takes a second.
 * Throws RangeError as convnet() does.
 */
export function convnetModel(inputShape: InputShape, classes: number): LayersModel {
  const { topology } = withLogits(convnet(inputShape, classes));
  const isPadded = paddingFor(inputShape) === 'same';
  const he = initialiserOf(HE_NORMAL, glorot());
  let [height, width, channels] = inputShape;
  const weights: Weight[] = [];
  const add = (layer: string, kernel: readonly number[], initialiser: Weight['initialiser']): void => {
    weights.push({ name: `${layer}/kernel`, shape: kernel, initialiser });
    weights.push({ name: `${layer}/bias`, shape: kernel.slice(-1), initialiser: { kind: 'constant', value: 0 } });
  };
  CONVOLUTIONS.forEach(({ filters, window }, n) => {
    add(`conv_${n + 1}`, [window, window, channels, filters], he);
    const after = (size: number): number => {
      const convolved = isPadded ? size : size - window + 1;
      return n < CONVOLUTIONS.length - 1 ? Math.floor(convolved / 2) : convolved;
    };
    [height, width, channels] = [after(height), after(width), filters];
  });
  add('classes', [height * width * channels, classes], glorot());
  return { kind: 'layers', topology, inputShape: [...inputShape], classes, weights, objective: 'softmax' };
}
