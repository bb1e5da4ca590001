// The products of a dense layer in floats, by the library of products. Where a matrix has many zeros they are skipped; the bits are the same either
// way, so that the choice is one of speed, made by the share of the elements that are there.
import { listBytes, type NativeProducts, type Strided } from './native/native.js';
import type { Activations, LayerProducts, Matrix } from './products.js';

/** A list of non-zeros begins with how many there are in all. */
const HEADER = 64;

/** Bytes of the lists of a matrix [n, k]. */
export const listRoom = (n: number, k: number): number => HEADER + listBytes(n, k);

/** The largest shares of non-zeros at which skipping zeros is faster, in the products of a few hundred rows: measured (docs/decisions.md). */
const SPARSE = { forward: 0.45, kernelGradient: 0.6 } as const;
/** Up to it nobody looks for the zeros of a gradient where those of the inputs have been listed: few gradients have more. */
const VERY_SPARSE = 0.25;

const FLOAT = 4;

export interface FloatMatrix extends Matrix {
  readonly precision: 'f32';
  readonly values: Float32Array;
}

const byRows = ({ values, columns }: FloatMatrix): Strided => ({ at: values.byteOffset, rows: columns, columns: 1 });
const transposed = ({ at, rows, columns }: Strided): Strided => ({ at, rows: columns, columns: rows });

/** As [rows, inputs]. */
const inputsByRow = ({ matrix, isRowMajor }: Activations<FloatMatrix>): Strided =>
  isRowMajor ? byRows(matrix) : transposed(byRows(matrix));

export class FloatProducts implements LayerProducts<FloatMatrix> {
  private readonly words: Uint32Array;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly native: NativeProducts,
  ) {
    this.words = new Uint32Array(memory.buffer);
  }

  matrix(at: number, rows: number, columns: number): FloatMatrix {
    return { precision: 'f32', rows, columns, values: new Float32Array(this.memory.buffer, at, rows * columns) };
  }

  /** Writes the lists by row of inputs. to: listRoom(rows, inputs) bytes. */
  listByRow(input: Activations<FloatMatrix>, to: number): void {
    const [rows, inputs] = sizesOf(input);
    this.list(inputsByRow(input), rows, inputs, to);
  }

  /** The same by input. to: listRoom(inputs, rows) bytes. */
  listByInput(input: Activations<FloatMatrix>, to: number): void {
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

  forward(kernel: FloatMatrix, input: Activations<FloatMatrix>, to: FloatMatrix): void {
    const { rows: units, columns: inputs } = kernel;
    const rows = to.columns;
    const x = inputsByRow(input);
    const { byRow = 0 } = input.lists ?? {};
    if (byRow !== 0 && this.isSparse(byRow, rows, inputs)) {
      const [d, c] = [transposed(byRows(kernel)), transposed(byRows(to))];
      this.native.product(rows, inputs, units, x, d, c, byRow + HEADER);
    } else this.native.product(units, inputs, rows, byRows(kernel), transposed(x), byRows(to), 0);
  }

  kernelGradient(dz: FloatMatrix, input: Activations<FloatMatrix>, to: FloatMatrix, scratch: number): void {
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

  inputGradient(kernel: FloatMatrix, dz: FloatMatrix, to: FloatMatrix): void {
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
