// The oracle of the gradients: the same network written with tfjs' own operations and differentiated by
// tf.variableGrads.

import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { tensorflow } from '../tensorflow.js';

export interface Row {
  readonly input: ArrayLike<number>;
  /** One number for each output unit. */
  readonly target: ArrayLike<number>;
  readonly weight: number;
  /** The factors that the activations of each hidden layer are multiplied with. */
  readonly factors?: readonly Float32Array[];
}

export interface Reference {
  /** The gradient in the layout of layoutOf(model), with 0 between the parts. */
  readonly gradient: Float32Array;
  /** The loss of each row, not weighted. */
  readonly losses: Float32Array;
  /** [rows, units of the last layer]. */
  readonly logits: Float32Array;
}

/** Computes the gradient of sum_r weight[r] * loss[r]. */
export function reference(model: DenseModel, parameters: Float32Array, rows: readonly Row[]): Reference {
  const tf = tensorflow();
  const { places, length } = layoutOf(model);
  const matrix = (of: (row: Row) => ArrayLike<number>) => tf.tensor2d(rows.map((row) => Array.from(of(row))));
  const part = (start: number, n: number) => parameters.slice(start, start + n);
  const variables = model.layers.map(({ units, inputs }, l) => ({
    kernel: tf.variable(tf.tensor2d(part(places[l]!.kernel, units * inputs), [units, inputs])),
    bias: tf.variable(tf.tensor1d(part(places[l]!.bias, units))),
  }));
  const result = tf.tidy(() => {
    const targets = matrix((row) => row.target);
    const forward = () =>
      variables.reduce(
        (input, { kernel, bias }, l) => {
          const z = tf.add(tf.matMul(input, kernel, false, true), bias) as typeof input;
          if (l === variables.length - 1) return z;
          return rows[0]!.factors
            ? tf.mul(
                tf.relu(z),
                matrix((row) => row.factors![l]!),
              )
            : tf.relu(z);
        },
        matrix((row) => row.input),
      );
    const lossesOf = (logits: ReturnType<typeof forward>) =>
      model.objective === 'softmax'
        ? tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), 1))
        : tf.sum(tf.losses.sigmoidCrossEntropy(targets, logits, undefined, 0, tf.Reduction.NONE), 1);
    const weights = tf.tensor1d(rows.map((row) => row.weight));
    const { grads } = tf.variableGrads(() => tf.sum(tf.mul(lossesOf(forward()), weights)).asScalar());
    const gradient = new Float32Array(length);
    variables.forEach(({ kernel, bias }, l) => {
      gradient.set(grads[kernel.name]!.dataSync(), places[l]!.kernel);
      gradient.set(grads[bias.name]!.dataSync(), places[l]!.bias);
    });
    const logits = forward();
    return {
      gradient,
      losses: Float32Array.from(lossesOf(logits).dataSync()),
      logits: Float32Array.from(logits.dataSync()),
    };
  });
  for (const { kernel, bias } of variables) tf.dispose([kernel, bias]);
  return result;
}
