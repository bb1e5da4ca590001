// The descriptors of all images as one matrix in shared memory, which all threads of a machine read in place.
import { sharedMemory } from '../engine/shared-memory.js';

/**
 * The rows of a block whose neighbours are found together, and of a tile that they are compared with. Their product
 * fits in a core's cache.
 */
export const BLOCK_ROWS = 256;
export const TILE_ROWS = 1024;

/** What a thread needs to attach to a matrix of rows. */
export interface RowsShape {
  readonly count: number;
  readonly columns: number;
  /** The threads that compute with it at the same time. */
  readonly workspaces: number;
}

export class Rows {
  /** The floats from one row to the next. It makes a tile begin at a multiple of 64 bytes. */
  readonly stride: number;

  constructor(
    readonly memory: WebAssembly.Memory,
    readonly shape: RowsShape,
  ) {
    this.stride = strideOf(shape);
  }

  /** Allocates a matrix of zeros. Throws E_MEMORY. */
  static allocate(shape: RowsShape): Rows {
    const bytes = scratchStart(shape) + shape.workspaces * SCRATCH_BYTES;
    const fix = 'use fewer images or fewer components of descriptors (graph.descriptors)';
    return new Rows(sharedMemory(bytes, { what: 'the graph', fix }), shape);
  }

  /** Returns where a row begins, in bytes. */
  addressOf(row: number): number {
    return row * this.stride * 4;
  }

  /** Returns where the product of a block and a tile is written, in bytes. */
  scratchOf(workspace: number): number {
    return scratchStart(this.shape) + workspace * SCRATCH_BYTES;
  }

  /** Writes rows of `columns` floats each, from row `first` on. */
  write(first: number, values: Float32Array): void {
    const { stride, memory } = this;
    const { columns } = this.shape;
    const to = new Float32Array(memory.buffer, this.addressOf(first), (values.length / columns) * stride);
    for (let from = 0, at = 0; from < values.length; from += columns, at += stride)
      to.set(values.subarray(from, from + columns), at);
  }

  /** Writes columns of all rows, from column `first` on. */
  writeColumns(first: number, values: Float32Array): void {
    const { stride, memory } = this;
    const { count } = this.shape;
    const width = values.length / count;
    const to = new Float32Array(memory.buffer, 0, count * stride);
    for (let row = 0; row < count; row++)
      for (let column = 0; column < width; column++) to[row * stride + first + column] = values[row * width + column]!;
  }

  /** Returns a copy of rows [start, end), in the form that write() takes. */
  read(start: number, end: number): Float32Array {
    const { stride, memory } = this;
    const { columns } = this.shape;
    const from = new Float32Array(memory.buffer, this.addressOf(start), (end - start) * stride);
    const values = new Float32Array((end - start) * columns);
    for (let row = 0; row < end - start; row++)
      values.set(from.subarray(row * stride, row * stride + columns), row * columns);
    return values;
  }
}

const SCRATCH_BYTES = BLOCK_ROWS * TILE_ROWS * 4;

const strideOf = ({ columns }: RowsShape): number => Math.ceil(columns / 16) * 16;

/** Returns where the scratch begins. Rows are padded to a whole tile, so that all products have one size. */
const scratchStart = (shape: RowsShape): number => Math.ceil(shape.count / TILE_ROWS) * TILE_ROWS * strideOf(shape) * 4;
