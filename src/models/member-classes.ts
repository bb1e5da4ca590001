// What the networks of an ensemble say of images one by one, by TensorFlow.js in this thread: for people, who see by it how far they agree.
import type * as Tf from '@tensorflow/tfjs-node';
import type { LayersModel } from './layers/model.js';
import { tensorFlow } from './layers/tensorflow.js';
import { toLayersModel } from './layers-model.js';

/** Images of one pass. */
const BATCH = 64;

export interface MemberClasses {
  /** Of each member: the likeliest class of each image. */
  readonly members: readonly Uint16Array[];
  /** By the mean of their probabilities. */
  readonly together: Uint16Array;
}

/**
 * The model has members. Throws E_NATIVE.
 * @param images bytes, as many of each as the model has inputs
 */
export async function memberClasses(
  model: LayersModel,
  parameters: Float32Array,
  images: readonly Uint8Array[],
): Promise<MemberClasses> {
  const tf = tensorFlow();
  const whole = await toLayersModel({ model, parameters, meta: undefined });
  // Its last layer is the mean of the branches (layers/ensemble.ts).
  const branches = whole.layers.at(-1)!.input as Tf.SymbolicTensor[];
  const apart = tf.model({ inputs: whole.inputs, outputs: branches });
  const { classes } = model;
  const outputs = branches.map(() => new Float32Array(images.length * classes));
  for (let first = 0; first < images.length; first += BATCH) {
    const batch = images.slice(first, first + BATCH);
    const values = Float32Array.from(Buffer.concat(batch), (byte) => byte / 255);
    const input = tf.tensor(values, [batch.length, ...model.inputShape]);
    const found = apart.predict(input) as Tf.Tensor[];
    for (const [member, output] of found.entries()) outputs[member]!.set(output.dataSync(), first * classes);
    tf.dispose([input, ...found]);
  }
  whole.dispose();
  const sums = Float32Array.from(outputs[0]!, (_, i) => outputs.reduce((sum, output) => sum + output[i]!, 0));
  return { members: outputs.map((output) => likeliest(output, classes)), together: likeliest(sums, classes) };
}

/** Of equals the first. */
function likeliest(outputs: Float32Array, classes: number): Uint16Array {
  return Uint16Array.from({ length: outputs.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (outputs[row * classes + c]! > outputs[row * classes + best]!) best = c;
    return best;
  });
}
