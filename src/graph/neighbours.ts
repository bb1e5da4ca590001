// Finds the exact nearest neighbours, by cosine, of rows of length 1: multiplies blocks by tiles, and searches each
// product while it is in the cache.
import { openNative, type Strided } from '../engine/native/native.js';
import { BLOCK_ROWS, type Rows, TILE_ROWS } from './rows.js';

/** The neighbours of some rows, the nearest first; of two that are equally near, the lower row first. */
export interface Neighbours {
  /** [rows, neighbours] */
  readonly rows: Uint32Array;
  readonly cosines: Float32Array;
}

/**
 * Returns the number of blocks. Nearest rows are found for whole blocks, which begin at multiples of BLOCK_ROWS, so
 * that the bits depend on nothing else.
 */
export const blocksOf = (count: number): number => Math.ceil(count / BLOCK_ROWS);

/**
 * Finds the `k` nearest of all other rows for the rows of blocks [start, end). There must be more than k rows in all.
 * @param workspace that nobody else uses meanwhile
 */
export function nearest(rows: Rows, [start, end]: readonly [number, number], k: number, workspace: number): Neighbours {
  const { shape, memory, stride } = rows;
  const first = start * BLOCK_ROWS;
  const count = Math.min(shape.count, end * BLOCK_ROWS) - first;
  const found = {
    rows: new Uint32Array(count * k),
    cosines: new Float32Array(count * k).fill(Number.NEGATIVE_INFINITY),
  };
  const products = openNative(memory);
  const product: Strided = { at: rows.scratchOf(workspace), rows: TILE_ROWS, columns: 1 };
  for (let block = start; block < end; block++) {
    const own = block * BLOCK_ROWS;
    const height = Math.min(BLOCK_ROWS, shape.count - own);
    const operand: Strided = { at: rows.addressOf(own), rows: stride, columns: 1 };
    for (let from = 0; from < shape.count; from += TILE_ROWS) {
      const others: Strided = { at: rows.addressOf(from), rows: 1, columns: stride };
      products.product(BLOCK_ROWS, stride, TILE_ROWS, operand, others, product, 0);
      const width = Math.min(TILE_ROWS, shape.count - from);
      const tile = { at: product.at, row: TILE_ROWS, height, width, own, from };
      products.nearer(tile, { neighbours: k, first: own - first, ...found });
    }
  }
  return found;
}
