// Declares what the library's types say of a tf.LayersModel. The types of TensorFlow.js 4.22 do not compile in strict
// programs, which would have to skip them.

/** A tf.LayersModel of TensorFlow.js. A program that has its types can cast: `model as tf.LayersModel`. */
export interface TensorFlowModel {
  readonly name: string;
  readonly layers: readonly object[];
  countParams(): number;
  /** Takes and returns a tf.Tensor: [images, ...] and [images, classes]. */
  predict(inputs: object, options?: object): object;
  /** Returns tensors (tf.Tensor). */
  getWeights(): readonly object[];
  /** Saves as TensorFlow.js does, to 'file://folder' or a handler. */
  save(to: object | string, options?: object): Promise<object>;
  dispose(): object;
}
