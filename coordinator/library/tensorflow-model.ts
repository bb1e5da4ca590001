// What of a tf.LayersModel the library's types say. Those of TensorFlow.js 4.22 do not compile in strict programs, which would have to skip them.

/** A tf.LayersModel of TensorFlow.js. A program that has its types says so: `model as tf.LayersModel`. */
export interface TensorFlowModel {
  readonly name: string;
  readonly layers: readonly object[];
  countParams(): number;
  /** tf.Tensor in, tf.Tensor out: [images, ...] and [images, classes]. */
  predict(inputs: object, options?: object): object;
  /** tf.Tensor each. */
  getWeights(): readonly object[];
  /** As of TensorFlow.js: 'file://folder', or a handler. */
  save(to: object | string, options?: object): Promise<object>;
  dispose(): object;
}
