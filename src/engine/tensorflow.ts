// Owns the native library: loading it, and matrix products whose operands and result all lie in the arena, without copies of operands.
import { createRequire } from 'node:module';
import util from 'node:util';
import type { TFJSBinding } from '@tensorflow/tfjs-node/dist/tfjs_binding.js';
import { PseudolabelError } from '../errors.js';

export type Tf = typeof import('@tensorflow/tfjs-node');

let loaded: Tf | undefined;

/** tfjs-node itself, loaded on first use (0.4 s). Throws E_NATIVE where its library is missing or does not load. */
export function tensorflow(): Tf {
  if (loaded) return loaded;
  // tfjs-node 4.22 calls a function that Node 23 removed.
  const legacy = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  try {
    loaded = createRequire(import.meta.url)('@tensorflow/tfjs-node') as Tf;
  } catch (cause) {
    throw new PseudolabelError(
      'E_NATIVE',
      `TensorFlow's native library does not load: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      'run `pseudolabel doctor`, then `node scripts/setup.mjs` in the folder of pseudolabel',
      { cause },
    );
  }
  return loaded;
}

export function nativeBinding(): TFJSBinding {
  return (tensorflow().backend() as unknown as { binding: TFJSBinding }).binding;
}

/**
 * To be called before a process starts threads that compute. The binding of tfjs-node 4.22 keeps the names of attributes in one
 * std::set for all threads, without a lock (tfjs_backend.cc, ATTR_NAME_SET): two threads that both use a name for the first time
 * may corrupt it, which ends the process or hangs it. This uses every name that Products needs, after which threads only read.
 * Throws E_NATIVE.
 */
export function prepareForThreads(): void {
  const products = new Products(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
  const [a, b, to] = [0, 64, 128].map((offset) => products.matrix(offset, 4, 4)) as [Matrix, Matrix, Matrix];
  products.multiply(a, false, b, false, to);
  for (const matrix of [a, b, to]) products.release(matrix);
}

/** A matrix of floats in the arena, as TensorFlow sees it. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Tensor of shape [rows, columns] that reads the arena's memory in place. */
  readonly tensor: number;
  /** The same memory as [1, rows * columns]: what InplaceUpdate writes to. */
  readonly line: number;
  readonly shapeOfLine: number;
  readonly values: Float32Array;
}

/** Multiplies matrices of one memory. One object a thread: tensors belong to the thread that made them. */
export class Products {
  private readonly binding = nativeBinding();
  private readonly firstRow = this.binding.createTensor([1], this.binding.TF_INT32, new Int32Array([0]));
  private readonly floatType = { name: 'T', type: this.binding.TF_ATTR_TYPE, value: this.binding.TF_FLOAT };
  private readonly reshapeTypes = [
    this.floatType,
    { name: 'Tshape', type: this.binding.TF_ATTR_TYPE, value: this.binding.TF_INT32 },
  ];
  private readonly products = [false, true].map((a) => [false, true].map((b) => this.productAttributes(a, b)));
  readonly writesInPlace: boolean;

  constructor(private readonly memory: WebAssembly.Memory) {
    this.writesInPlace = this.probe();
  }

  /** offset: in bytes, a multiple of 64, since TensorFlow copies what is not aligned and the copy would go stale. */
  matrix(offset: number, rows: number, columns: number): Matrix {
    if (offset % 64 !== 0) throw new RangeError(`matrix at ${offset}: not aligned to 64 bytes`);
    return this.matrixOf(new Float32Array(this.memory.buffer, offset, rows * columns), rows, columns);
  }

  /** to = a * b, with a or b transposed first where said so. */
  multiply(a: Matrix, transposeA: boolean, b: Matrix, transposeB: boolean, to: Matrix): void {
    const attributes = this.products[Number(transposeA)]![Number(transposeB)]!;
    this.store(this.execute('MatMul', attributes, [a.tensor, b.tensor]), to);
  }

  release(matrix: Matrix): void {
    for (const id of [matrix.tensor, matrix.line, matrix.shapeOfLine]) this.binding.deleteTensor(id);
  }

  /** Moves a result of TensorFlow into the arena: its InplaceUpdate writes to the memory behind its first input. */
  private store(result: number, to: Matrix): void {
    if (this.writesInPlace) {
      const line = this.execute('Reshape', this.reshapeTypes, [result, to.shapeOfLine]);
      const same = this.execute('InplaceUpdate', [this.floatType], [to.line, this.firstRow, line]);
      this.binding.deleteTensor(line);
      this.binding.deleteTensor(same);
    } else to.values.set(this.binding.tensorDataSync(result) as Float32Array);
    this.binding.deleteTensor(result);
  }

  private matrixOf(values: Float32Array, rows: number, columns: number): Matrix {
    const { binding } = this;
    return {
      rows,
      columns,
      tensor: binding.createTensor([rows, columns], binding.TF_FLOAT, values),
      line: binding.createTensor([1, rows * columns], binding.TF_FLOAT, values),
      shapeOfLine: binding.createTensor([2], binding.TF_INT32, new Int32Array([1, rows * columns])),
      values,
    };
  }

  /** InplaceUpdate's aliasing is not a documented promise: write once to a shared block and look whether it is there. */
  private probe(): boolean {
    const values = new Float32Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer, 0, 16);
    const to = this.matrixOf(values, 4, 4);
    const probe = this.binding.createTensor([1, 16], this.binding.TF_FLOAT, new Float32Array(16).fill(7));
    const same = this.execute('InplaceUpdate', [this.floatType], [to.line, this.firstRow, probe]);
    for (const id of [probe, same]) this.binding.deleteTensor(id);
    const seenAgain = this.binding.tensorDataSync(to.tensor) as Float32Array;
    this.release(to);
    return values.every((value) => value === 7) && seenAgain.every((value) => value === 7);
  }

  private execute(
    name: string,
    attributes: { name: string; type: number; value: boolean | number }[],
    inputs: number[],
  ) {
    return this.binding.executeOp(name, attributes, inputs, 1)[0]!.id;
  }

  private productAttributes(a: boolean, b: boolean) {
    const { TF_ATTR_BOOL } = this.binding;
    return [
      { name: 'transpose_a', type: TF_ATTR_BOOL, value: a },
      { name: 'transpose_b', type: TF_ATTR_BOOL, value: b },
      this.floatType,
    ];
  }
}
