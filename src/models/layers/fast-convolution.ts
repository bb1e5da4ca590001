// Convolution and max pooling that train faster than those of TensorFlow.js, which they replace: the same values and
// gradients, with fewer and faster operations.
import type * as Tf from '@tensorflow/tfjs-node';
import type { Attribute, Backend } from './backend.js';
import { FAST_CONVOLUTION, FAST_POOLING } from './topology.js';

type TensorFlow = typeof Tf;
type Given = Tf.Tensor | Tf.Tensor[];
interface Kwargs {
  readonly training?: boolean;
}

/** The members of TensorFlow.js' own layers that their type leaves out. */
interface Convolution extends Tf.layers.Layer {
  readonly kernel: { read(): Tf.Tensor4D };
  readonly bias: { read(): Tf.Tensor1D } | null;
  readonly activation: { getClassName(): string };
  readonly strides: readonly [number, number];
  readonly dilationRate: number | readonly number[];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: 'channelsLast' | 'channelsFirst';
}
interface Pooling extends Tf.layers.Layer {
  readonly poolSize: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: 'channelsLast' | 'channelsFirst';
}
type ClassOf<L> = new (config: object) => L;

/** Registers our layers. known: the classes of TensorFlow.js by name. */
export function registerFastLayers(tf: TensorFlow, known: Readonly<Record<string, readonly unknown[]>>): void {
  tf.serialization.registerClass(fastConvolution(tf, known.Conv2D![0] as ClassOf<Convolution>) as never);
  tf.serialization.registerClass(fastPooling(tf, known.MaxPooling2D![0] as ClassOf<Pooling>) as never);
}

/**
 * Makes our convolution. TensorFlow.js computes the gradients of a bias and of relu by general operations, each of
 * which passes over all activations.
 */
function fastConvolution(tf: TensorFlow, base: ClassOf<Convolution>) {
  return class FastConvolution extends base {
    static readonly className = FAST_CONVOLUTION;

    override call(inputs: Given, kwargs: Kwargs): Given {
      const activation = this.activation.getClassName();
      const isPlain = [this.dilationRate].flat().every((rate) => rate === 1) && this.dataFormat === 'channelsLast';
      if (!kwargs.training || !isPlain || !['relu', 'linear'].includes(activation)) return super.call(inputs, kwargs);
      const x = Array.isArray(inputs) ? inputs[0]! : inputs;
      const [height, width] = this.strides;
      const operations = new Operations(tf, [1, height, width, 1], this.padding);
      const bias = this.bias?.read();
      const given = [this.kernel.read(), ...(bias ? [bias] : [])];
      const isRelu = activation === 'relu';
      // Nobody needs the gradient at the images.
      return takesImages(this)
        ? operations.convolution(given, isRelu, x)
        : operations.convolution([...given, x], isRelu, undefined);
    }
  };
}

function takesImages({ inboundNodes }: Tf.layers.Layer): boolean {
  const [node] = inboundNodes as unknown as { readonly inboundLayers: readonly Tf.layers.Layer[] }[];
  return inboundNodes.length === 1 && node!.inboundLayers.every((layer) => layer.getClassName() === 'InputLayer');
}

/**
 * Makes our pooling. TensorFlow's own gradient of pooling takes three times as long as the convolutions around it,
 * because it finds each maximum again.
 */
function fastPooling(tf: TensorFlow, base: ClassOf<Pooling>) {
  return class FastPooling extends base {
    static readonly className = FAST_POOLING;

    override call(inputs: Given, kwargs: Kwargs): Given {
      const x = (Array.isArray(inputs) ? inputs[0]! : inputs) as Tf.Tensor4D;
      const [height, width] = this.poolSize;
      const [, rows, columns] = x.shape;
      const isApart = this.strides[0] === height && this.strides[1] === width && this.dataFormat === 'channelsLast';
      const isWhole = rows % height === 0 && columns % width === 0;
      if (!kwargs.training || !isApart || !isWhole) return super.call(inputs, kwargs);
      return tf.customGrad((given, save) => {
        const y = tf.maxPool(given as Tf.Tensor4D, [height, width], [height, width], 'valid');
        (save as Tf.GradSaveFunc)([given as Tf.Tensor, y]);
        return { value: y, gradFunc: (dy, [from, to]) => poolingGradient(from!, to!, dy as Tf.Tensor, height, width) };
      })(x);
    }
  };
}

/**
 * Computes the gradient of pooling. Each window's gradient goes to its first maximum, as in TensorFlow. x: [n, h *
 * height, w * width, c]; y and dy: [n, h, w, c].
 */
function poolingGradient(x: Tf.Tensor, y: Tf.Tensor, dy: Tf.Tensor, height: number, width: number): Tf.Tensor {
  const [n, h, w, c] = y.shape as [number, number, number, number];
  const windows = n * h * w;
  const lines = x.reshape([n * h, height, w * width * c]).unstack(1);
  const places = lines.flatMap((line) => line.reshape([windows, width, c]).unstack(1));
  const most = y.reshape([windows, c]);
  const none = most.zerosLike();
  let rest = dy.reshape([windows, c]);
  const parts = places.map((place, i) => {
    if (i === places.length - 1) return rest;
    const isHere = place.equal(most);
    const part = rest.where(isHere, none);
    rest = none.where(isHere, rest);
    return part;
  });
  const stacked = Array.from({ length: height }, (_, line) =>
    part(parts.slice(line * width, (line + 1) * width)).reshape([n * h, w * width * c]),
  );
  return part(stacked).reshape(x.shape);
}

/** Stacks tensors in a new second dimension. */
const part = ([first, ...others]: readonly Tf.Tensor[]): Tf.Tensor => first!.stack([...others], 1);

/** TensorFlow's operations around a convolution, in NHWC. */
class Operations {
  private readonly backend: Backend;
  private readonly type: Attribute;
  private readonly format: Attribute;
  private readonly window: readonly Attribute[];

  constructor(
    private readonly tf: TensorFlow,
    strides: readonly number[],
    padding: 'same' | 'valid',
  ) {
    this.backend = tf.backend() as unknown as Backend;
    const { TF_FLOAT, TF_ATTR_TYPE, TF_ATTR_INT, TF_ATTR_STRING } = this.backend.binding;
    this.type = { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT };
    this.format = { name: 'data_format', type: TF_ATTR_STRING, value: 'NHWC' };
    this.window = [
      this.type,
      { name: 'strides', type: TF_ATTR_INT, value: strides },
      { name: 'padding', type: TF_ATTR_STRING, value: padding.toUpperCase() },
      this.format,
    ];
  }

  /**
   * Computes a convolution. given: the kernel, the bias if there is one, and x. images: used instead of x if no
   * gradient at the input is needed.
   */
  convolution(given: readonly Tf.Tensor[], isRelu: boolean, images: Tf.Tensor | undefined): Tf.Tensor {
    const hasBias = given.length === (images ? 2 : 3);
    const compute = (...all: (Tf.Tensor | Tf.GradSaveFunc)[]) => {
      const save = all.at(-1) as Tf.GradSaveFunc;
      const tensors = all.slice(0, -1) as Tf.Tensor[];
      const [kernel, bias] = tensors as [Tf.Tensor, Tf.Tensor];
      const x = images ?? tensors.at(-1)!;
      const product = this.run('Conv2D', this.window, [x, kernel]);
      const sum = hasBias ? this.run('BiasAdd', [this.type, this.format], [product, bias]) : product;
      const value = isRelu ? this.run('Relu', [this.type], [sum]) : sum;
      save([x, kernel, value]);
      const gradFunc = (dy: Tf.Tensor, saved: Tf.Tensor[]): Tf.Tensor[] => {
        const [from, by, to] = saved as [Tf.Tensor, Tf.Tensor, Tf.Tensor];
        const dz = isRelu ? this.run('ReluGrad', [this.type], [dy, to]) : dy;
        const shape = (of: Tf.Tensor) => this.tf.tensor1d(of.shape, 'int32');
        return [
          this.run('Conv2DBackpropFilter', this.window, [from, shape(by), dz]),
          ...(hasBias ? [this.run('BiasAddGrad', [this.type, this.format], [dz])] : []),
          ...(images ? [] : [this.run('Conv2DBackpropInput', this.window, [shape(from), by, dz])]),
        ];
      };
      return { value, gradFunc };
    };
    return this.tf.customGrad(compute)(...given);
  }

  private run(name: string, attributes: readonly Attribute[], inputs: readonly Tf.Tensor[]): Tf.Tensor {
    return this.backend.executeSingleOutput(name, attributes, inputs);
  }
}
