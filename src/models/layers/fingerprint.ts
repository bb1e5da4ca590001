// A machine's fingerprint of convolutions: small passes whose bits differ on another processor type or library build.
import { createHash } from 'node:crypto';
import { nativeBinding } from '../../engine/tensorflow.js';
import { keyOf, Stream } from '../../random.js';

/**
 * Sizes like those of a run, because TensorFlow chooses its kernels by them: [height and width, channels, filters,
 * window].
 */
const CONVOLUTIONS = [
  [28, 1, 24, 5],
  [12, 24, 48, 3],
  [7, 64, 64, 3],
  [7, 32, 64, 1],
] as const;
const ROWS = 16;

/**
 * Returns the hex SHA-256 of the results of convolutions, pooling and their gradients. It takes some 30 ms in this
 * thread. Throws E_NATIVE.
 */
export function convolutionFingerprint(): string {
  const binding = nativeBinding();
  const { TF_FLOAT, TF_INT32, TF_ATTR_TYPE, TF_ATTR_INT, TF_ATTR_STRING } = binding;
  const random = new Stream(keyOf(2, 'split', 0));
  const hash = createHash('sha256');
  const made: number[] = [];
  const keep = (id: number): number => {
    made.push(id);
    return id;
  };
  const drawn = (shape: readonly number[]): number => {
    const length = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length }, () => 2 * random.uniform() - 1);
    return keep(binding.createTensor([...shape], TF_FLOAT, values));
  };
  const shapeOf = (shape: readonly number[]): number =>
    keep(binding.createTensor([shape.length], TF_INT32, Int32Array.from(shape)));
  const type = { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT };
  const common = [
    type,
    { name: 'strides', type: TF_ATTR_INT, value: [1, 1, 1, 1] },
    { name: 'padding', type: TF_ATTR_STRING, value: 'SAME' },
    { name: 'data_format', type: TF_ATTR_STRING, value: 'NHWC' },
  ];
  const window = { name: 'ksize', type: TF_ATTR_INT, value: [1, 2, 2, 1] };
  const compute = (name: string, attributes: readonly unknown[], inputs: readonly number[]): number => {
    const [{ id } = { id: 0 }] = binding.executeOp(name, attributes as never, [...inputs], 1);
    hash.update(binding.tensorDataSync(id) as Float32Array);
    return keep(id);
  };
  for (const [size, channels, filters, side] of CONVOLUTIONS) {
    const [inputShape, kernelShape] = [
      [ROWS, size, size, channels],
      [side, side, channels, filters],
    ];
    const [x, kernel] = [drawn(inputShape), drawn(kernelShape)];
    const y = compute('Conv2D', common, [x, kernel]);
    const pooled = compute('MaxPool', [...common, window], [y]);
    const dy = compute('MaxPoolGrad', [...common, window], [y, pooled, pooled]);
    compute('Conv2DBackpropFilter', common, [x, shapeOf(kernelShape), dy]);
    compute('Conv2DBackpropInput', common, [shapeOf(inputShape), kernel, dy]);
    compute('Tanh', [type], [y]);
    const flat = [ROWS, size * size * channels];
    const reshaped = compute(
      'Reshape',
      [type, { name: 'Tshape', type: TF_ATTR_TYPE, value: TF_INT32 }],
      [x, shapeOf(flat)],
    );
    compute('MatMul', [type], [reshaped, drawn([flat[1]!, 32])]);
  }
  for (const id of made) binding.deleteTensor(id);
  return hash.digest('hex');
}
