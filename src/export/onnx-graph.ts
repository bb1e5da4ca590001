// Builds a graph of ONNX operators. Its values are in Keras' layout, [rows, height, width, channels].
import type { Attribute, Constant, Node } from './onnx-proto.js';

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const string = (value: string): Attribute => ({ kind: 'string', value });

export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly constants: Constant[] = [];

  /** Adds an operator. Returns the name of its output. */
  add(operator: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const output = `${operator.toLowerCase()}_${this.nodes.length}`;
    this.nodes.push({ operator, inputs, output, attributes });
    return output;
  }

  constant(shape: readonly number[], values: Float32Array | readonly number[]): string {
    const name = `constant_${this.constants.length}`;
    this.constants.push({ name, shape, values });
    return name;
  }

  floats(...values: number[]): string {
    return this.constant(values.length === 1 ? [] : [values.length], Float32Array.from(values));
  }

  integers(...values: number[]): string {
    return this.constant([values.length], values);
  }

  /** Adds operators that ONNX computes with channels before height and width. */
  channelsFirst(x: string, compute: (x: string) => string): string {
    const first = this.add('Transpose', [x], { perm: ints([0, 3, 1, 2]) });
    return this.add('Transpose', [compute(first)], { perm: ints([0, 2, 3, 1]) });
  }

  /** Adds an activation. Throws RangeError for a function that ONNX does not have. */
  activation(x: string, name: unknown): string {
    const simple = { relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh', softplus: 'Softplus', softsign: 'Softsign' };
    switch (name) {
      case undefined:
      case null:
      case 'linear':
        return x;
      case 'softmax':
        return this.add('Softmax', [x], { axis: int(-1) });
      case 'relu6':
        return this.add('Clip', [x, this.floats(0), this.floats(6)]);
      case 'elu':
        return this.add('Elu', [x], { alpha: float(1) });
      case 'selu':
        return this.add('Selu', [x]);
      case 'swish':
        return this.add('Mul', [x, this.add('Sigmoid', [x])]);
      case 'hard_sigmoid':
      case 'hardSigmoid':
        return this.add('HardSigmoid', [x], { alpha: float(0.2), beta: float(0.5) });
    }
    const operator = simple[String(name) as keyof typeof simple];
    if (!operator) throw new RangeError(`the activation ${String(name)} has no operator`);
    return this.add(operator, [x]);
  }
}
