// The products of a dense layer, by the library of products. Where a matrix has many zeros they are skipped; the bits are the same either way, so
// that the choice is one of speed, made by the share of the elements that are there.
import { listBytes, type NativeProducts, openNative, type Strided } from './native/native.js';

/** A matrix in the arena, by rows. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Its memory. */
  readonly values: Float32Array;
}

/** Addresses of the lists of the non-zeros of a layer's inputs, and of where those of gradients may be put; a multiple of 64 each. */
export interface Lists {
  /** For each row, its inputs; for each input, its rows. */
  readonly byRow: number;
  readonly byInput: number;
}

/** What a layer reads: [rows, inputs], or [inputs, rows]. */
export interface Activations {
  readonly matrix: Matrix;
  readonly isRowMajor: boolean;
  /** Where they have been listed (listByRow(), listByInput()). */
  readonly lists?: Lists;
}

/** A list of non-zeros begins with how many there are in all. */
const HEADER = 64;

/** Bytes of the lists of a matrix [n, k]. */
export const listRoom = (n: number, k: number): number => HEADER + listBytes(n, k);

/** The largest shares of non-zeros at which skipping zeros is faster, in the products of a few hundred rows: measured (docs/decisions.md). */
const SPARSE = { forward: 0.45, kernelGradient: 0.6 } as const;
/** Up to it nobody looks for the zeros of a gradient where those of the inputs have been listed: few gradients have more. */
const VERY_SPARSE = 0.25;

const FLOAT = 4;

const byRows = ({ values, columns }: Matrix): Strided => ({ at: values.byteOffset, rows: columns, columns: 1 });
const transposed = ({ at, rows, columns }: Strided): Strided => ({ at, rows: columns, columns: rows });

/** As [rows, inputs]. */
const inputsByRow = ({ matrix, isRowMajor }: Activations): Strided =>
  isRowMajor ? byRows(matrix) : transposed(byRows(matrix));

/** Products of one memory. One object a thread. */
export class Products {
  private readonly words: Uint32Array;

  /** native: what multiplies. Throws as openNative(). */
  constructor(
    private readonly memory: WebAssembly.Memory,
    readonly native: NativeProducts = openNative(memory),
  ) {
    this.words = new Uint32Array(memory.buffer);
  }

  /** at: in bytes, a multiple of 64. */
  matrix(at: number, rows: number, columns: number): Matrix {
    return { rows, columns, values: new Float32Array(this.memory.buffer, at, rows * columns) };
  }

  /** Writes the lists by row of inputs. to: listRoom(rows, inputs) bytes. */
  listByRow(input: Activations, to: number): void {
    const [rows, inputs] = sizesOf(input);
    this.list(inputsByRow(input), rows, inputs, to);
  }

  /** The same by input. to: listRoom(inputs, rows) bytes. */
  listByInput(input: Activations, to: number): void {
    const [rows, inputs] = sizesOf(input);
    this.list(transposed(inputsByRow(input)), inputs, rows, to);
  }

  /** The share of non-zeros in a matrix [n, k] that has been listed. */
  private density(lists: number, n: number, k: number): number {
    return this.words[lists / FLOAT]! / (n * k);
  }

  /** Whether the zeros of inputs [n, k] that have been listed are worth skipping. */
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

  /** to[units, inputs] = dz[units, rows] * input transposed. scratch: listRoom(units, rows) bytes, or 0, where the zeros of dz are not looked for. */
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
