// Loads the library of products and convolutions for this processor. Its only state is scratch, and it computes the
// same bits on every processor.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PseudolabelError } from '../../errors.js';
import { built } from '../../files/read.js';
import {
  type ConvolutionFunctions,
  type ConvolutionShape,
  type NativeConvolution,
  nativeConvolution,
} from './convolution.js';

/**
 * The version of the products. Raise it if the bits of a product change, because machines of different versions do not
 * train together.
 */
export const PRODUCTS_VERSION = 2;

/**
 * The library's functions. Addresses are byte offsets in the memory that open() was given; strides and sizes count
 * floats. They throw RangeError.
 */
interface Library extends ConvolutionFunctions {
  /** Returns the variants that this processor can run, fastest first. */
  names(): string[];
  open(memory: Uint8Array, variant: string): unknown;
  product(
    handle: unknown,
    ...numbers: readonly [
      n: number,
      k: number,
      m: number,
      s: number,
      sRows: number,
      sColumns: number,
      d: number,
      dRows: number,
      dColumns: number,
      c: number,
      cRows: number,
      cColumns: number,
      lists: number,
    ]
  ): void;
  nearer(handle: unknown, ...rest: readonly unknown[]): void;
  list(
    handle: unknown,
    ...numbers: readonly [s: number, n: number, k: number, sRows: number, sColumns: number, to: number]
  ): number;
}

/**
 * A matrix in the memory: element (i, j) is at byte `at` + 4 * (i * rows + j * columns). One of the strides is 1,
 * except in `s` of a product.
 */
export interface Strided {
  readonly at: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Cosines [height, width] at an address, with `row` floats from line to line. They are those of the rows from `own` on
 * with the rows from `from` on.
 */
export interface CosineTile {
  readonly at: number;
  readonly row: number;
  readonly height: number;
  readonly width: number;
  readonly own: number;
  readonly from: number;
}

/**
 * The neighbours found so far, [rows, neighbours], the nearest first; of two that are equally near, the lower row
 * first. first: the line of the tile's first row.
 */
export interface NearestSoFar {
  readonly neighbours: number;
  readonly first: number;
  readonly cosines: Float32Array;
  readonly rows: Uint32Array;
}

export interface NativeProducts {
  /** The variant for the processor that it was compiled for. */
  readonly variant: string;
  /**
   * c[n, m] = sum over k of s[n, k] * d[k, m]: a chain of rounded multiplications and additions in ascending order,
   * starting from 0. lists: the address of the lists of s (list()), whose zeros are then skipped; 0: none. The bits are
   * the same as long as d is finite.
   */
  product(n: number, k: number, m: number, s: Strided, d: Strided, c: Strided, lists: number): void;
  /**
   * Writes the lists of the non-zeros of s [n, k] to `to`, a multiple of 64 with room for listBytes(n, k). Returns
   * their number.
   */
  list(s: Strided, n: number, k: number, to: number): number;
  /** Adds the rows of a tile that are nearer than the nearest so far. */
  nearer(tile: CosineTile, found: NearestSoFar): void;
  /** Makes a convolution. Throws RangeError if its sizes do not fit. */
  convolution(of: ConvolutionShape): NativeConvolution;
}

export const listBytes = (n: number, k: number): number => Math.ceil((n * 4) / 64) * 64 + n * k * 8;

/** The path of the library below dist/. */
export const PRODUCTS_LIBRARY = `src/engine/native/products-${process.platform}-${process.arch}.node`;

function library(): Library {
  try {
    return createRequire(import.meta.url)(fileURLToPath(built(PRODUCTS_LIBRARY))) as Library;
  } catch (cause) {
    throw new PseudolabelError(
      'E_NATIVE',
      `the library of products does not load: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      'run `npx pseudolabel setup`, which needs a C++ compiler',
      { cause },
    );
  }
}

/** Returns the variants of this processor, fastest first. Throws E_NATIVE. */
export const nativeVariants = (): readonly string[] => library().names();

/**
 * Opens the library for a memory; each thread has one object. variant: one of nativeVariants(). If left out, it is the
 * value of the variable PSEUDOLABEL_PRODUCTS, or else the fastest one.
 * Throws E_NATIVE, and E_CONFIG if there is no such variant.
 */
export function openNative(memory: WebAssembly.Memory, variant = process.env.PSEUDOLABEL_PRODUCTS): NativeProducts {
  const loaded = library();
  const { names, open, product, list } = loaded;
  const found = names();
  const chosen = variant ?? found[0]!;
  if (!found.includes(chosen))
    throw new PseudolabelError(
      'E_CONFIG',
      `this processor has no products of the variant '${chosen}'`,
      `leave PSEUDOLABEL_PRODUCTS out, or use one of ${found.join(', ')}: all have the same bits`,
    );
  const handle = open(new Uint8Array(memory.buffer), chosen);
  return {
    variant: chosen,
    product(n, k, m, s, d, c, lists) {
      product(handle, n, k, m, s.at, s.rows, s.columns, d.at, d.rows, d.columns, c.at, c.rows, c.columns, lists);
    },
    list: (s, n, k, to) => list(handle, s.at, n, k, s.rows, s.columns, to),
    nearer({ at, row, height, width, own, from }, { neighbours, first, cosines, rows }) {
      loaded.nearer(handle, at, row, height, width, own, from, neighbours, first, cosines, rows);
    },
    convolution: (of) => nativeConvolution(loaded, handle, of),
  };
}
