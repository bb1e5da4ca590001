// The parts of TensorFlow.js that its types leave out, for layers of ours that call its operations.
import type * as Tf from '@tensorflow/tfjs-node';

export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

type AttributeType = 'TF_FLOAT' | 'TF_ATTR_TYPE' | 'TF_ATTR_INT' | 'TF_ATTR_FLOAT' | 'TF_ATTR_BOOL' | 'TF_ATTR_STRING';

/** The members of tfjs-node's backend that its type leaves out. */
export interface Backend {
  readonly binding: Readonly<Record<AttributeType, number>>;
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly Tf.Tensor[]): Tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly Tf.Tensor[],
    outputs: number,
  ): Tf.Tensor[];
}

/** Returns the one input of a layer. */
export const one = (inputs: Tf.Tensor | Tf.Tensor[]): Tf.Tensor => (Array.isArray(inputs) ? inputs[0]! : inputs);
