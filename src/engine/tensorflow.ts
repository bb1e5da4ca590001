// Loads the native library, and multiplies matrices that lie in the arena, without copies of operands.
import { createRequire } from 'node:module';
import { PseudolabelError } from '../errors.js';
import type { Binding } from './binding.js';
import { Direct, Emulated, TF_BFLOAT16 } from './matmul.js';
import { BYTES, type Precision } from './precision.js';

/** tfjs-node's own, of the last version of Node-API that it knows. */
const BINDING = '@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node';

/**
 * The binding alone: nothing here needs the rest of tfjs-node, which takes a thread four times as long to load, and 28 MB of its heap.
 * Throws E_NATIVE where the library is missing or does not load.
 */
export function nativeBinding(): Binding {
  try {
    return createRequire(import.meta.url)(BINDING) as Binding;
  } catch (cause) {
    throw new PseudolabelError(
      'E_NATIVE',
      `TensorFlow's native library does not load: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      'run `npx pseudolabel setup`: it makes the library ready, or says what is missing',
      { cause },
    );
  }
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
  // No product of bf16 but an emulated one: not every processor does another, and it has no names that this does not have.
  const rounded = products.matrix(192, 4, 4, 'bf16-emulated');
  products.multiply(rounded, false, rounded, false, rounded);
  for (const matrix of [a, b, to, rounded]) products.release(matrix);
}

/** As TF_BFLOAT16. */
const TF_UINT8 = 4;

/** A matrix in the arena, as TensorFlow sees it. */
export interface Matrix {
  readonly precision: Precision;
  readonly rows: number;
  readonly columns: number;
  /** Tensor of shape [rows, columns] that reads the arena's memory in place. */
  readonly tensor: number;
  /** The same memory as [1, rows * columns]: what InplaceUpdate writes to. Of bf16, which it would write one by one, pairs as integers. */
  readonly line: number;
  readonly shapeOfLine: number;
  /** What the line consists of. */
  readonly values: Float32Array | Int32Array;
}

/** Multiplies matrices of one memory. One object a thread: tensors belong to the thread that made them. */
export class Products {
  private readonly binding = nativeBinding();
  private readonly firstRow = this.binding.createTensor([1], this.binding.TF_INT32, new Int32Array([0]));
  private readonly types = {
    f32: this.type('T', this.binding.TF_FLOAT),
    bf16: this.type('T', TF_BFLOAT16),
    'bf16-emulated': this.type('T', TF_BFLOAT16),
    blocks: this.type('T', this.binding.TF_INT32),
  };
  private readonly shapeType = this.type('Tshape', this.binding.TF_INT32);
  private readonly products;
  readonly writesInPlace: boolean;

  constructor(private readonly memory: WebAssembly.Memory) {
    const { binding } = this;
    const f32 = new Direct(binding, binding.TF_FLOAT);
    const bf16 = new Direct(binding, TF_BFLOAT16);
    this.products = { f32, bf16, 'bf16-emulated': new Emulated(binding, f32) };
    this.writesInPlace = this.probe();
  }

  /** offset: in bytes, a multiple of 64, since TensorFlow copies what is not aligned and the copy would go stale. */
  matrix(offset: number, rows: number, columns: number, precision: Precision = 'f32'): Matrix {
    if (offset % 64 !== 0) throw new RangeError(`matrix at ${offset}: not aligned to 64 bytes`);
    const { buffer } = this.memory;
    if (precision === 'f32') return this.matrixOf(new Float32Array(buffer, offset, rows * columns), rows, columns);
    if ((rows * columns) % 2 !== 0) throw new RangeError(`${rows} x ${columns} of bf16: an odd number`);
    return this.roundedMatrix(offset, rows, columns, precision);
  }

  /** to = a * b, with a or b transposed first where said so. All three are of one precision. */
  multiply(a: Matrix, transposeA: boolean, b: Matrix, transposeB: boolean, to: Matrix): void {
    this.store(this.products[to.precision].multiply(a.tensor, transposeA, b.tensor, transposeB), to);
  }

  release(matrix: Matrix): void {
    for (const id of [matrix.tensor, matrix.line, matrix.shapeOfLine]) this.binding.deleteTensor(id);
  }

  /** Moves a result of TensorFlow into the arena: its InplaceUpdate writes to the memory behind its first input. */
  private store(result: number, to: Matrix): void {
    const line = this.lineOf(result, to);
    if (this.writesInPlace) {
      const type = to.precision === 'f32' ? this.types.f32 : this.types.blocks;
      this.binding.deleteTensor(this.execute('InplaceUpdate', [type], [to.line, this.firstRow, line]));
    } else to.values.set(this.binding.tensorDataSync(line) as Float32Array | Int32Array);
    this.binding.deleteTensor(line);
    this.binding.deleteTensor(result);
  }

  /** A result in the shape and type of a matrix's line. */
  private lineOf(result: number, { precision, shapeOfLine }: Matrix): number {
    const line = this.execute('Reshape', [this.types[precision], this.shapeType], [result, shapeOfLine]);
    if (precision === 'f32') return line;
    const blocks = this.bitcast(line, TF_BFLOAT16, this.binding.TF_INT32);
    this.binding.deleteTensor(line);
    return blocks;
  }

  /** The same memory as elements of another type; of [..., n] smaller ones, of n of which a larger one consists, [...]. */
  private bitcast(tensor: number, from: number, to: number): number {
    return this.execute('Bitcast', [this.type('T', from), this.type('type', to)], [tensor]);
  }

  private roundedMatrix(offset: number, rows: number, columns: number, precision: Precision): Matrix {
    const { binding, memory } = this;
    const blocks = (rows * columns) / 2;
    const values = new Int32Array(memory.buffer, offset, blocks);
    const bytes = new Uint8Array(memory.buffer, offset, rows * columns * BYTES.bf16);
    const tensorOfBytes = binding.createTensor([rows, columns, BYTES.bf16], TF_UINT8, bytes);
    const tensor = this.bitcast(tensorOfBytes, TF_UINT8, TF_BFLOAT16);
    binding.deleteTensor(tensorOfBytes);
    return {
      precision,
      rows,
      columns,
      tensor,
      line: binding.createTensor([1, blocks], binding.TF_INT32, values),
      shapeOfLine: binding.createTensor([3], binding.TF_INT32, new Int32Array([1, blocks, 2])),
      values,
    };
  }

  private matrixOf(values: Float32Array, rows: number, columns: number): Matrix {
    const { binding } = this;
    return {
      precision: 'f32',
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
    const same = this.execute('InplaceUpdate', [this.types.f32], [to.line, this.firstRow, probe]);
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

  private type(name: string, value: number) {
    return { name, type: this.binding.TF_ATTR_TYPE, value };
  }
}
