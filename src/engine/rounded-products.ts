// The products of a dense layer in bf16, by TensorFlow. Zeros are multiplied like any number.
import type { Precision } from './precision.js';
import type { Activations, LayerProducts } from './products.js';
import type { Products, Matrix as TensorMatrix } from './tensorflow.js';

export class RoundedProducts implements LayerProducts<TensorMatrix> {
  /** Throws E_NATIVE. */
  constructor(
    private readonly products: Products,
    private readonly precision: Precision,
  ) {}

  matrix(at: number, rows: number, columns: number): TensorMatrix {
    return this.products.matrix(at, rows, columns, this.precision);
  }

  forward(kernel: TensorMatrix, { matrix, isRowMajor }: Activations<TensorMatrix>, to: TensorMatrix): void {
    this.products.multiply(kernel, false, matrix, isRowMajor, to);
  }

  kernelGradient(dz: TensorMatrix, { matrix, isRowMajor }: Activations<TensorMatrix>, to: TensorMatrix): void {
    this.products.multiply(dz, false, matrix, !isRowMajor, to);
  }

  inputGradient(kernel: TensorMatrix, dz: TensorMatrix, to: TensorMatrix): void {
    this.products.multiply(kernel, true, dz, false, to);
  }
}
