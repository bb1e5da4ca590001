// Owns one dense layer's forward and backward pass over the rows of a lane: TensorFlow's products and the kernel's passes, block by
// block of units, so that what a product wrote is still in the cache when the kernel takes it up.
import type { Kernel } from './kernel/kernel.js';
import type { Layer } from './model.js';
import type { Matrix, Products } from './tensorflow.js';

/** Units of a block: 640 x 144 rows of floats fit a core's L2 cache. A multiple of 16, so that every block is aligned. */
export const BLOCK_UNITS = 640;

/** Addresses of the layer's parameters (or of their gradient) and of its two matrices [units, rows]. */
export interface LayerPlace {
  readonly kernel: number;
  readonly bias: number;
  readonly output: number;
  /** undefined where nothing is trained. */
  readonly gradient: number | undefined;
}

/** Where a shard's gradient of the layer goes. */
export interface GradientPlace {
  readonly blocks: readonly Matrix[];
  readonly bias: number;
}

/** Dropout of an activation: `keep` of 65536 are kept; a random state of 64 bytes lies at `random`. */
export interface Dropout {
  readonly keep: number;
  readonly scale: number;
  readonly random: number;
}

const KEEP_ALL = 65536;

/** Masks compare 16 random bits with `keep`, so a rate is rounded to a 65536th; the scale is that of the rounded rate. */
export function dropoutOf(rate: number, random: number): Dropout {
  const keep = Math.round((1 - rate) * KEEP_ALL);
  return { keep, scale: KEEP_ALL / keep, random };
}

export class Dense {
  readonly output: Matrix;
  private readonly kernel: Matrix;
  private readonly kernelBlocks: readonly Matrix[];
  private readonly outputBlocks: readonly Matrix[];
  private readonly gradient: Matrix | undefined;
  private readonly gradientBlocks: readonly Matrix[];

  constructor(
    private readonly products: Products,
    private readonly pass: Kernel,
    readonly layer: Layer,
    private readonly rows: number,
    private readonly place: LayerPlace,
  ) {
    const { units, inputs } = layer;
    this.kernel = products.matrix(place.kernel, units, inputs);
    this.kernelBlocks = this.blocks(place.kernel, inputs);
    this.output = products.matrix(place.output, units, rows);
    this.outputBlocks = this.blocks(place.output, rows);
    if (place.gradient === undefined) this.gradientBlocks = [];
    else {
      this.gradient = products.matrix(place.gradient, units, rows);
      this.gradientBlocks = this.blocks(place.gradient, rows);
    }
  }

  /** Where this layer's gradient lies in a slot whose kernel and bias have these addresses. */
  gradientPlace(kernel: number, bias: number): GradientPlace {
    return { blocks: this.blocks(kernel, this.layer.inputs), bias };
  }

  /** output = kernel * input, without bias: the loss adds the output layer's. */
  forwardLinear(input: Matrix): void {
    this.kernelBlocks.forEach((kernel, k) => {
      this.products.multiply(kernel, false, input, false, this.outputBlocks[k]!);
    });
  }

  /** output = dropout(relu(kernel * input + bias)). Returns the sum of what it was before dropout, which bounds every element. */
  forward(input: Matrix, dropout: Dropout): number {
    let sum = 0;
    this.kernelBlocks.forEach((kernel, k) => {
      const output = this.outputBlocks[k]!;
      this.products.multiply(kernel, false, input, false, output);
      const bias = this.place.bias + k * BLOCK_UNITS * 4;
      const { keep, scale, random } = dropout;
      sum += this.pass.reluDropout(output.values.byteOffset, bias, output.rows, this.rows, keep, scale, random);
    });
    return sum;
  }

  /**
   * The gradient of this hidden layer, given that of the layer above (`next`, whose own gradient is there already).
   * input: what this layer read, transposed if it lies as [rows, inputs]. Returns the largest sum of |dz| over a unit's rows.
   */
  backward(next: Dense, scale: number, input: Matrix, inputIsRowMajor: boolean, to: GradientPlace): number {
    this.products.multiply(next.kernel, true, next.gradient!, false, this.gradient!);
    let largest = 0;
    this.gradientBlocks.forEach((gradient, k) => {
      const output = this.outputBlocks[k]!.values.byteOffset;
      const bias = to.bias + k * BLOCK_UNITS * 4;
      const dz = gradient.values.byteOffset;
      largest = Math.max(largest, this.pass.reluDropoutGradient(dz, output, gradient.rows, this.rows, scale, bias));
      this.products.multiply(gradient, false, input, !inputIsRowMajor, to.blocks[k]!);
    });
    return largest;
  }

  /** The same for the output layer, whose output the loss has replaced by the gradient. */
  backwardOutput(input: Matrix, inputIsRowMajor: boolean, to: GradientPlace): number {
    const { units } = this.layer;
    this.gradientBlocks.forEach((gradient, k) => {
      this.products.multiply(gradient, false, input, !inputIsRowMajor, to.blocks[k]!);
    });
    return this.pass.biasGradient(this.place.gradient!, units, this.rows, to.bias);
  }

  private blocks(address: number, columns: number): Matrix[] {
    const { units } = this.layer;
    return Array.from({ length: Math.ceil(units / BLOCK_UNITS) }, (_, k) => {
      const first = k * BLOCK_UNITS;
      return this.products.matrix(address + first * columns * 4, Math.min(BLOCK_UNITS, units - first), columns);
    });
  }
}
