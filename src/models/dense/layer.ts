// The forward and backward pass of one dense layer over the rows of a workspace. Products and the kernel's passes
// alternate tile by tile of units, so that the output of a product is still in the cache when the kernel reads it.
import type { Kernel } from '../../engine/kernel/kernel.js';
import type { Activations, Matrix, Products } from '../../engine/products.js';
import type { Layer } from './model.js';

/**
 * The units of a tile: 640 x 144 rows of floats fit a core's L2 cache. It is a multiple of 16, so that every tile is
 * aligned.
 */
export const TILE_UNITS = 640;

/** Addresses of the layer's parameters and of its two matrices [units, rows]. */
export interface LayerPlace {
  readonly kernel: number;
  readonly bias: number;
  readonly output: number;
  /** undefined if nothing is trained. */
  readonly gradient: number | undefined;
  /** Scratch for the lists of a tile's gradient. */
  readonly gradientLists: number;
}

/** Where a shard's gradient of the layer is written. */
export interface GradientPlace {
  readonly tiles: readonly Matrix[];
  readonly bias: number;
}

/** The dropout of an activation: `keep` of 65536 are kept. A random state of 64 bytes is at `random`. */
export interface Dropout {
  readonly keep: number;
  readonly scale: number;
  readonly random: number;
}

/** The `keep` of a pass without dropout. */
export const KEEP_ALL = 65536;

/**
 * Returns the dropout of a rate. Masks compare 16 random bits with `keep`, so that the rate is rounded to a 65536th;
 * the scale belongs to the rounded rate.
 */
export function dropoutOf(rate: number, random: number): Dropout {
  const keep = Math.round((1 - rate) * KEEP_ALL);
  return { keep, scale: KEEP_ALL / keep, random };
}

export class Dense {
  readonly output: Matrix;
  readonly kernel: Matrix;
  private readonly kernelTiles: readonly Matrix[];
  private readonly outputTiles: readonly Matrix[];
  readonly gradient: Matrix | undefined;
  private readonly gradientTiles: readonly Matrix[];

  constructor(
    private readonly products: Products,
    private readonly pass: Kernel,
    readonly layer: Layer,
    private readonly rows: number,
    private readonly place: LayerPlace,
  ) {
    const { units, inputs } = layer;
    this.kernel = products.matrix(place.kernel, units, inputs);
    this.kernelTiles = this.tilesOf(place.kernel, inputs);
    this.output = products.matrix(place.output, units, rows);
    this.outputTiles = this.tilesOf(place.output, rows);
    if (place.gradient === undefined) this.gradientTiles = [];
    else {
      this.gradient = products.matrix(place.gradient, units, rows);
      this.gradientTiles = this.tilesOf(place.gradient, rows);
    }
  }

  /** Returns the place of this layer's gradient in a gradient buffer whose kernel and bias have these addresses. */
  gradientPlace(kernel: number, bias: number): GradientPlace {
    return { tiles: this.tilesOf(kernel, this.layer.inputs), bias };
  }

  /** The input of the layer above. */
  get activations(): Activations {
    return { matrix: this.output, isRowMajor: false };
  }

  /** output = kernel * input, without the bias, which the loss adds for the output layer. */
  forwardLinear(input: Activations): void {
    this.kernelTiles.forEach((kernel, k) => {
      this.products.forward(kernel, input, this.outputTiles[k]!);
    });
  }

  /**
   * output = dropout(relu(kernel * input + bias)). Returns the sum of the output before dropout, which bounds every
   * element.
   */
  forward(input: Activations, dropout: Dropout): number {
    let sum = 0;
    this.kernelTiles.forEach((kernel, k) => {
      const output = this.outputTiles[k]!;
      this.products.forward(kernel, input, output);
      const bias = this.place.bias + k * TILE_UNITS * 4;
      const { keep, scale, random } = dropout;
      sum += this.pass.reluDropout(output.values.byteOffset, bias, output.rows, this.rows, keep, scale, random);
    });
    return sum;
  }

  /**
   * Computes the gradient of this hidden layer from that of the layer above (`next`), which must be complete.
   * input: of this layer. written: is called with the number of units whose kernel gradient is complete.
   * Returns the largest sum of |dz| over a unit's rows.
   */
  backward(
    next: Dense,
    scale: number,
    input: Activations,
    to: GradientPlace,
    written: (units: number) => void = () => undefined,
  ): number {
    this.products.inputGradient(next.kernel, next.gradient!, this.gradient!);
    let largest = 0;
    this.gradientTiles.forEach((gradient, k) => {
      const output = this.outputTiles[k]!.values.byteOffset;
      const bias = to.bias + k * TILE_UNITS * 4;
      const dz = gradient.values.byteOffset;
      largest = Math.max(largest, this.pass.reluDropoutGradient(dz, output, gradient.rows, this.rows, scale, bias));
      this.products.kernelGradient(gradient, input, to.tiles[k]!, this.place.gradientLists);
      written(k * TILE_UNITS + gradient.rows);
    });
    return largest;
  }

  /** Does the same for the output layer, whose output the loss has replaced by the gradient. */
  backwardOutput(input: Activations, to: GradientPlace): number {
    const { units } = this.layer;
    this.gradientTiles.forEach((gradient, k) => {
      this.products.kernelGradient(gradient, input, to.tiles[k]!, 0);
    });
    return this.pass.biasGradient(this.place.output, units, this.rows, to.bias);
  }

  private tilesOf(address: number, columns: number): Matrix[] {
    const { units } = this.layer;
    return Array.from({ length: Math.ceil(units / TILE_UNITS) }, (_, k) => {
      const first = k * TILE_UNITS;
      const at = address + first * columns * 4;
      return this.products.matrix(at, Math.min(TILE_UNITS, units - first), columns);
    });
  }
}
