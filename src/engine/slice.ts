// Owns one slice of a classifier's hidden units: its forward pass to partial logits, and its backward pass, which updates the weights of a
// block of units as soon as their gradient is known, while it is in the cache: the gradient as a whole is never written down.
import type { OptimizerStep } from '../protocol/tasks.js';
import type { Arena } from './arena.js';
import { BLOCK_UNITS, type Dropout } from './dense.js';
import type { Kernel } from './kernel/kernel.js';
import { layoutOf, type Model, type Place } from './model.js';
import { Segments } from './segments.js';
import { type GroupBuffers, layersOf, type RowCounts, type SliceBuffers, unitsOf } from './slices.js';
import type { Matrix, Products } from './tensorflow.js';

export interface SlicePlace {
  readonly slices: number;
  readonly slice: number;
  readonly group: GroupBuffers;
  readonly own: SliceBuffers;
  /** Of the gradient at the logits. */
  readonly gradient: number;
}

/** Matrices of one block of units. */
interface Block {
  /** Its first unit within the slice. */
  readonly first: number;
  readonly units: number;
  readonly weights: Matrix;
  readonly kernel: Matrix;
  readonly hidden: Matrix;
  /** In the group's scratch. */
  readonly clean: Matrix | undefined;
  readonly dz: Matrix;
  readonly weightsGradient: Matrix;
}

export class Slice {
  private readonly blocks: readonly Block[];
  private readonly inputs;
  private readonly hidden: Matrix;
  private readonly kernelGradient: Matrix;
  private readonly logitsGradient: Matrix;
  private readonly products: { readonly rows: Matrix; readonly clean: Matrix | undefined };
  private readonly places;
  private readonly first: number;
  private readonly units: number;

  constructor(
    private readonly tensorflow: Products,
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    private readonly model: Model,
    private readonly counts: RowCounts,
    private readonly place: SlicePlace,
  ) {
    const { group, own } = place;
    const { rows, clean } = counts;
    const [{ inputs: pixels }, { units: classes }] = layersOf(model);
    const matrix = (at: number, r: number, c: number) => tensorflow.matrix(at, r, c);
    const optional = (at: number, r: number, c: number) => (c === 0 ? undefined : matrix(at, r, c));
    const [first, end] = unitsOf(model, place.slices, place.slice);
    this.first = first;
    this.units = end - first;
    this.places = layoutOf(model).places;
    this.inputs = {
      x: matrix(group.x, rows, pixels),
      xt: matrix(group.xt, pixels, rows),
      cleanXt: optional(group.cleanXt, pixels, clean),
    };
    this.hidden = matrix(own.hidden, this.units, rows);
    this.logitsGradient = matrix(place.gradient, classes, rows);
    this.kernelGradient = matrix(group.weights, classes, this.units);
    this.products = { rows: matrix(group.product, classes, rows), clean: optional(group.product, classes, clean) };
    this.blocks = Array.from({ length: Math.ceil(this.units / BLOCK_UNITS) }, (_, k) => {
      const from = k * BLOCK_UNITS;
      const units = Math.min(BLOCK_UNITS, this.units - from);
      const weights = arena.regions.parameters + (this.places[0]!.kernel + (first + from) * pixels) * 4;
      return {
        first: from,
        units,
        weights: matrix(weights, units, pixels),
        kernel: matrix(own.kernel + from * classes * 4, units, classes),
        hidden: matrix(own.hidden + from * rows * 4, units, rows),
        clean: optional(group.block, units, clean),
        dz: matrix(group.block, units, rows),
        weightsGradient: matrix(group.weights, units, pixels),
      };
    });
  }

  /** Writes the partial logits and their bounds. The inputs are the group's. */
  forward(dropout: Dropout): void {
    const { kernel, place } = this;
    const { rows, clean } = this.counts;
    const [hidden, { units: classes }] = layersOf(this.model);
    const { parameters } = this.arena.regions;
    const weights = parameters + this.places[1]!.kernel * 4;
    const weightBound = kernel.packColumns(weights, hidden.units, this.first, this.units, classes, place.own.kernel);
    this.beginLogits(place.own.logits, classes, rows);
    this.beginLogits(place.own.clean, classes, clean);
    let activationBound = 0;
    for (const block of this.blocks) {
      const bias = parameters + (this.places[0]!.bias + this.first + block.first) * 4;
      this.tensorflow.multiply(block.weights, false, this.inputs.xt, false, block.hidden);
      const { keep, scale, random } = dropout;
      const at = block.hidden.values.byteOffset;
      activationBound += kernel.reluDropout(at, bias, block.units, rows, keep, scale, random);
      this.addProduct(block.kernel, block.hidden, this.products.rows, place.own.logits);
      if (!block.clean) continue;
      // The same weights again while they are in the cache.
      this.tensorflow.multiply(block.weights, false, this.inputs.cleanXt!, false, block.clean);
      kernel.reluDropout(block.clean.values.byteOffset, bias, block.units, clean, KEEP_ALL, 1, random);
      this.addProduct(block.kernel, block.clean, this.products.clean!, place.own.clean);
    }
    new Float32Array(this.arena.memory.buffer, place.own.bounds, 2).set([activationBound, weightBound]);
  }

  /** Updates the slice's parameters. Called again after a thread died in it, it goes on where that was. */
  backward(scale: number, optimizer: OptimizerStep, update: number): void {
    const { kernel, place, tensorflow } = this;
    const { rows } = this.counts;
    const [hidden, { units: classes }] = layersOf(this.model);
    const [below, above] = this.places as [Place, Place];
    const { group } = place;
    const segments = new Segments(kernel, this.arena, place.own.journal, optimizer, update);
    for (const { first, units, ...block } of this.blocks) {
      if (segments.skip(2)) continue;
      tensorflow.multiply(block.kernel, false, this.logitsGradient, false, block.dz);
      const dz = block.dz.values.byteOffset;
      kernel.reluDropoutGradient(dz, block.hidden.values.byteOffset, units, rows, scale, group.bias);
      tensorflow.multiply(block.dz, false, this.inputs.x, false, block.weightsGradient);
      const unit = this.first + first;
      segments.apply(below.kernel + unit * hidden.inputs, units * hidden.inputs, group.weights);
      segments.apply(below.bias + unit, units, group.bias);
    }
    if (!segments.skip(classes)) {
      tensorflow.multiply(this.logitsGradient, false, this.hidden, true, this.kernelGradient);
      for (let c = 0; c < classes; c++) {
        const gradient = group.weights + c * this.units * 4;
        segments.apply(above.kernel + c * hidden.units + this.first, this.units, gradient);
      }
    }
    if (this.first > 0) return;
    kernel.biasGradient(place.gradient, classes, rows, group.bias);
    segments.apply(above.bias, classes, group.bias);
  }

  private beginLogits(z: number, classes: number, rows: number): void {
    const bias = this.arena.regions.parameters + this.places[1]!.bias * 4;
    if (this.first === 0) this.kernel.broadcast(bias, classes, rows, z);
    else new Float32Array(this.arena.memory.buffer, z, classes * rows).fill(0);
  }

  /** z += kernel^T * hidden */
  private addProduct(kernel: Matrix, hidden: Matrix, product: Matrix, z: number): void {
    this.tensorflow.multiply(kernel, true, hidden, false, product);
    this.kernel.add(z, product.values.byteOffset, product.values.length);
  }
}

const KEEP_ALL = 65536;
