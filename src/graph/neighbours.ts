// The exact nearest neighbours of rows of length 1 by their cosines: products of blocks by tiles, each looked through while it is in the cache.
import { openNative, type Strided } from '../engine/native/native.js';
import { BLOCK_ROWS, type Rows, TILE_ROWS } from './rows.js';

/** Of each of some rows, its neighbours, the nearest first and of two that are as near the lower row. */
export interface Neighbours {
  /** [rows, neighbours] */
  readonly rows: Uint32Array;
  readonly cosines: Float32Array;
}

/** Nearest rows are looked for in whole blocks, which begin at multiples of BLOCK_ROWS: their bits depend on nothing else. */
export const blocksOf = (count: number): number => Math.ceil(count / BLOCK_ROWS);

/**
 * The `k` nearest of all other rows, of those of blocks [start, end). There are more than k rows in all.
 * @param workspace nobody else has it meanwhile
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
