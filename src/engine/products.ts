// The products of a dense layer, by the library of products. If a matrix has many zeros, they are skipped. The bits are
// the same either way, so that the share of non-zeros decides by speed alone.
import { listBytes, type NativeProducts, openNative, type Strided } from './native/native.js';

/** A matrix in the arena, by rows. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** The elements, in the arena's memory. */
  readonly values: Float32Array;
}

/** Addresses of the lists of the non-zeros of a layer's inputs. Each is a multiple of 64. */
export interface Lists {
  /** byRow lists the inputs of each row, byInput the rows of each input. */
  readonly byRow: number;
  readonly byInput: number;
}

/** The input of a layer: [rows, inputs], or [inputs, rows]. */
export interface Activations {
  readonly matrix: Matrix;
  readonly isRowMajor: boolean;
  /** The lists, if they have been made (listByRow(), listByInput()). */
  readonly lists?: Lists;
}

/** The bytes before a list of non-zeros, which hold their number in all. */
const HEADER = 64;

/** Returns the bytes of the lists of a matrix [n, k]. */
export const listRoom = (n: number, k: number): number => HEADER + listBytes(n, k);

/**
 * The largest shares of non-zeros at which skipping zeros is faster, for products of a few hundred rows. They were
 * measured (docs/decisions.md).
 */
const SPARSE = { forward: 0.45, kernelGradient: 0.6 } as const;
/**
 * If the inputs have been listed and their share of non-zeros is at most this, the gradient is not listed, because few
 * gradients have fewer non-zeros.
 */
const VERY_SPARSE = 0.25;

const FLOAT = 4;

const byRows = ({ values, columns }: Matrix): Strided => ({ at: values.byteOffset, rows: columns, columns: 1 });
const transposed = ({ at, rows, columns }: Strided): Strided => ({ at, rows: columns, columns: rows });

/** Returns the input as [rows, inputs]. */
const inputsByRow = ({ matrix, isRowMajor }: Activations): Strided =>
  isRowMajor ? byRows(matrix) : transposed(byRows(matrix));

/** The products of one memory. Each thread has one object. */
export class Products {
  private readonly words: Uint32Array;

  /** native: the library that multiplies. Throws as openNative() does. */
  constructor(
    private readonly memory: WebAssembly.Memory,
    readonly native: NativeProducts = openNative(memory),
  ) {
    this.words = new Uint32Array(memory.buffer);
  }

  /** Returns a matrix. at: in bytes, a multiple of 64. */
  matrix(at: number, rows: number, columns: number): Matrix {
    return { rows, columns, values: new Float32Array(this.memory.buffer, at, rows * columns) };
  }

  /** Writes the lists of each row's inputs. to: listRoom(rows, inputs) bytes. */
  listByRow(input: Activations, to: number): void {
    const [rows, inputs] = sizesOf(input);
    this.list(inputsByRow(input), rows, inputs, to);
  }

  /** Writes the lists of each input's rows. to: listRoom(inputs, rows) bytes. */
  listByInput(input: Activations, to: number): void {
    const [rows, inputs] = sizesOf(input);
    this.list(transposed(inputsByRow(input)), inputs, rows, to);
  }

  /** Returns the share of non-zeros in a matrix [n, k] that has been listed. */
  private density(lists: number, n: number, k: number): number {
    return this.words[lists / FLOAT]! / (n * k);
  }

  /** Returns whether skipping the zeros of listed inputs [n, k] is faster. */
  private isSparse(lists: number, n: number, k: number): boolean {
    return this.density(lists, n, k) <= SPARSE.forward;
  }

  /** to[units, rows] = kernel[units, inputs] * input */
  forward(kernel: Matrix, input: Activations, to: Matrix): void {
    const { rows: units, columns: inputs } = kernel;
    const rows = to.columns;
    const x = inputsByRow(input);
    const { byRow = 0 } = input.lists ?? {};
    if (byRow !== 0 && this.isSparse(byRow, rows, inputs)) {
      const [d, c] = [transposed(byRows(kernel)), transposed(byRows(to))];
      this.native.product(rows, inputs, units, x, d, c, byRow + HEADER);
    } else this.native.product(units, inputs, rows, byRows(kernel), transposed(x), byRows(to), 0);
  }

  /**
   * to[units, inputs] = dz[units, rows] * input transposed. scratch: listRoom(units, rows) bytes, or 0 if dz is not to
   * be listed.
   */
  kernelGradient(dz: Matrix, input: Activations, to: Matrix, scratch: number): void {
    const { rows: units, columns: rows } = dz;
    const inputs = to.columns;
    const x = inputsByRow(input);
    const { byInput = 0 } = input.lists ?? {};
    const density = byInput === 0 ? 1 : this.density(byInput, inputs, rows);
    if (density > VERY_SPARSE && scratch !== 0) {
      this.list(byRows(dz), units, rows, scratch);
      if (this.density(scratch, units, rows) <= Math.min(density, SPARSE.kernelGradient)) {
        this.native.product(units, rows, inputs, byRows(dz), x, byRows(to), scratch + HEADER);
        return;
      }
    }
    if (density <= SPARSE.kernelGradient) {
      const [d, c] = [transposed(byRows(dz)), transposed(byRows(to))];
      this.native.product(inputs, rows, units, transposed(x), d, c, byInput + HEADER);
    } else this.native.product(units, rows, inputs, byRows(dz), x, byRows(to), 0);
  }

  /** to[inputs, rows] = kernel transposed * dz[units, rows] */
  inputGradient(kernel: Matrix, dz: Matrix, to: Matrix): void {
    const { rows: units, columns: inputs } = kernel;
    this.native.product(inputs, units, dz.columns, transposed(byRows(kernel)), byRows(dz), byRows(to), 0);
  }

  private list(s: Strided, n: number, k: number, to: number): void {
    this.words[to / FLOAT] = this.native.list(s, n, k, to + HEADER);
  }
}

function sizesOf({ matrix, isRowMajor }: Activations): readonly [rows: number, inputs: number] {
  return isRowMajor ? [matrix.rows, matrix.columns] : [matrix.columns, matrix.rows];
}
