// The products of a dense layer, as its passes ask for them, whoever computes them: in floats the library of products, in bf16 TensorFlow.
import type { Precision } from './precision.js';

/** A matrix in the arena, by rows. */
export interface Matrix {
  readonly precision: Precision;
  readonly rows: number;
  readonly columns: number;
  /** Its memory; of bf16 as pairs. */
  readonly values: Float32Array | Int32Array;
}

/** Addresses of the lists of the non-zeros of a layer's inputs, and of where those of gradients may be put; a multiple of 64 each. */
export interface Lists {
  /** For each row, its inputs; for each input, its rows. */
  readonly byRow: number;
  readonly byInput: number;
}

/** What a layer reads: [rows, inputs], or [inputs, rows]. */
export interface Activations<M extends Matrix = Matrix> {
  readonly matrix: M;
  readonly isRowMajor: boolean;
  /** Where they have been listed (LayerProducts.list). */
  readonly lists?: Lists;
}

/** Products of one memory and one precision. One object a thread. */
export interface LayerProducts<M extends Matrix = Matrix> {
  /** at: in bytes, a multiple of 64. */
  matrix(at: number, rows: number, columns: number): M;
  /** to[units, rows] = kernel[units, inputs] * input */
  forward(kernel: M, input: Activations<M>, to: M): void;
  /** to[units, inputs] = dz[units, rows] * input transposed. scratch: listRoom(units, rows) bytes, or 0, where the zeros of dz are not looked for. */
  kernelGradient(dz: M, input: Activations<M>, to: M, scratch: number): void;
  /** to[inputs, rows] = kernel transposed * dz[units, rows] */
  inputGradient(kernel: M, dz: M, to: M): void;
}
