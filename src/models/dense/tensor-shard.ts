// One tensor shard of a wide layer: its forward pass up to what it adds to the layer above, and its backward pass. The
// backward pass updates the weights of a tile of units as soon as their gradient is known, while it is in the cache;
// the whole gradient is never stored.

import type { Arena } from '../../engine/arena.js';
import type { Kernel } from '../../engine/kernel/kernel.js';
import type { OptimizerStep } from '../../engine/optimizer.js';
import type { Activations, Matrix, Products } from '../../engine/products.js';
import { type Dropout, KEEP_ALL } from './layer.js';
import type { DenseModel } from './model.js';
import { type ParallelBlock, parallelBlocksOf } from './tensor-blocks.js';
import {
  type BlockPlaces,
  type GroupBuffers,
  type RowCounts,
  type TensorShardBuffers,
  unitsOf,
} from './tensor-layout.js';
import { matricesOf, type TensorShardMatrices, type TensorShardOf, type Tile } from './tensor-matrices.js';
import { SegmentedUpdate } from './tensor-update.js';

export class TensorShard {
  private readonly matrices: TensorShardMatrices;
  private readonly group: GroupBuffers;
  private readonly block: ParallelBlock;
  private readonly places: BlockPlaces;
  private readonly own: TensorShardBuffers;
  /** Whether a layer below reads the gradient at the block's inputs. */
  private readonly isUpper: boolean;
  private readonly first: number;
  private readonly units: number;

  constructor(
    private readonly products: Products,
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    model: DenseModel,
    private readonly counts: RowCounts,
    of: TensorShardOf,
  ) {
    this.matrices = matricesOf(products, arena, model, counts, of);
    this.group = of.places.groups[of.group]!;
    this.block = parallelBlocksOf(model)[of.block]!;
    this.places = of.places.blocks[of.block]!;
    this.own = this.places.shards[of.shard]!;
    this.isUpper = of.block > 0;
    const [first, end] = unitsOf(model, this.places.shards.length, of.shard, of.block);
    this.first = first;
    this.units = end - first;
  }

  /** Writes the sums and their bounds. */
  forward(dropout: Dropout): void {
    const { kernel, own, products } = this;
    const { rows, clean } = this.counts;
    const { tiles, inputs, cleanInputs, sums } = this.matrices;
    this.beginSums(own.sums, rows);
    this.beginSums(own.clean, clean);
    let activationBound = 0;
    let weightBound = 0;
    for (const tile of tiles) {
      weightBound = Math.max(weightBound, this.pack(tile));
      const bias = this.arena.regions.parameters + (this.block.below.bias + tile.first) * 4;
      products.forward(tile.weights, inputs, tile.hidden);
      const { keep, scale, random } = dropout;
      activationBound += kernel.reluDropout(tile.hidden.values.byteOffset, bias, tile.units, rows, keep, scale, random);
      products.forward(tile.packed, unitsMajor(tile.hidden), sums.rows);
      this.add(own.sums, sums.rows);
      if (!tile.clean) continue;
      // The same weights are used again while they are in the cache.
      products.forward(tile.weights, cleanInputs!, tile.clean);
      kernel.reluDropout(tile.clean.values.byteOffset, bias, tile.units, clean, KEEP_ALL, 1, random);
      products.forward(tile.packed, unitsMajor(tile.clean), sums.clean!);
      this.add(own.clean, sums.clean!);
    }
    this.setBounds(activationBound, weightBound);
  }

  /**
   * Writes what the tensor shard of an upper block adds to the gradient at the block's inputs, and a bound of the
   * gradient at its units. It updates nothing.
   */
  inputGradient(scale: number): void {
    const { own, products } = this;
    const product = this.matrices.sums.inputs!;
    this.floats(own.inputGradient, product.rows * product.columns).fill(0);
    let largest = 0;
    for (const tile of this.matrices.tiles) {
      largest = Math.max(largest, this.hiddenGradient(tile, scale));
      products.inputGradient(tile.weights, tile.dz, product);
      this.add(own.inputGradient, product);
    }
    this.setBounds(largest, 0);
  }

  /** Updates the shard's parameters. If a thread died in it, the next call continues there. */
  backward(scale: number, optimizer: OptimizerStep, update: number): void {
    const { kernel, products, group, places } = this;
    const { rows } = this.counts;
    const { below, above, hidden, output } = this.block;
    const segments = new SegmentedUpdate(kernel, this.arena, this.own.updateLog, optimizer, update);
    for (const tile of this.matrices.tiles) {
      if (segments.skip(2)) continue;
      const { first, units, dz } = tile;
      if (this.isUpper) kernel.biasGradient(dz.values.byteOffset, units, rows, group.bias);
      else this.hiddenGradient(tile, scale);
      products.kernelGradient(dz, this.matrices.inputs, tile.weightsGradient, group.gradientLists);
      segments.apply(below.kernel + first * hidden.inputs, units * hidden.inputs, group.weights);
      segments.apply(below.bias + first, units, group.bias);
    }
    this.updateOutputs(segments);
    if (this.first > 0) return;
    kernel.biasGradient(places.gradient, output.units, rows, group.bias);
    segments.apply(above.bias, output.units, group.bias);
  }

  /** Updates the shard's columns of the output kernel. */
  private updateOutputs(segments: SegmentedUpdate): void {
    const { above, hidden } = this.block;
    const row = this.units * 4;
    for (const { first, count, gradient, kernelGradient } of this.matrices.outputs) {
      if (segments.skip(count)) continue;
      this.products.kernelGradient(gradient, this.matrices.hidden, kernelGradient, 0);
      for (let c = 0; c < count; c++) {
        segments.apply(
          above.kernel + (first + c) * hidden.units + this.first,
          this.units,
          this.group.weights + c * row,
        );
      }
    }
  }

  /**
   * Copies a tile's part of the output kernel. Returns the largest sum of its absolute values over a unit's outputs.
   */
  private pack({ first, units, packed }: Tile): number {
    const { hidden, output, above } = this.block;
    const weights = this.arena.regions.parameters + above.kernel * 4;
    const to = packed.values.byteOffset;
    return this.kernel.packColumns(weights, hidden.units, first, units, output.units, to, this.group.bias);
  }

  /**
   * Writes the gradient at a tile's units, and the gradient of their biases to the group's scratch. Returns the largest
   * sum of its absolute values over the rows.
   */
  private hiddenGradient({ packed, dz, hidden, units }: Tile, scale: number): number {
    const { kernel, group } = this;
    this.products.inputGradient(packed, this.matrices.outputGradient, dz);
    const { byteOffset } = dz.values;
    return kernel.reluDropoutGradient(byteOffset, hidden.values.byteOffset, units, this.counts.rows, scale, group.bias);
  }

  private beginSums(z: number, rows: number): void {
    const { output, above } = this.block;
    const bias = this.arena.regions.parameters + above.bias * 4;
    if (this.first === 0) this.kernel.broadcast(bias, output.units, rows, z);
    else this.floats(z, output.units * rows).fill(0);
  }

  private add(to: number, product: Matrix): void {
    this.kernel.add(to, product.values.byteOffset, product.rows * product.columns);
  }

  private setBounds(activationBound: number, weightBound: number): void {
    this.floats(this.own.bounds, 2).set([activationBound, weightBound]);
  }

  private floats(at: number, length: number): Float32Array {
    return new Float32Array(this.arena.memory.buffer, at, length);
  }
}

const unitsMajor = (matrix: Matrix): Activations => ({ matrix, isRowMajor: false });
