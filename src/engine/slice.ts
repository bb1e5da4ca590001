// Owns one slice of a classifier's hidden units: its forward pass to partial logits, and its backward pass, which updates the weights of a
// block of units as soon as their gradient is known, while it is in the cache: the gradient as a whole is never written down.
import type { OptimizerStep } from '../protocol/tasks.js';
import type { Arena } from './arena.js';
import { blockUnits, type Dropout } from './dense.js';
import type { Kernel } from './kernel/kernel.js';
import { BYTES, layoutOf, type Model, type Place, type Precision, precisionOf } from './model.js';
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
  /** x as the backward pass reads it. */
  private readonly inputs;
  private readonly hidden: Matrix;
  private readonly kernelGradient: Matrix;
  private readonly logitsGradient: Matrix;
  private readonly products: { readonly rows: Matrix; readonly clean: Matrix | undefined };
  private readonly places;
  private readonly first: number;
  private readonly units: number;
  private readonly precision: Precision;

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
    this.precision = precisionOf(model);
    const { precision } = this;
    const isRounded = precision === 'bf16';
    const bytes = BYTES[precision];
    const matrix = (at: number, r: number, c: number) => tensorflow.matrix(at, r, c, precision);
    const optional = (at: number, r: number, c: number) => (r * c === 0 ? undefined : matrix(at, r, c));
    const [first, end] = unitsOf(model, place.slices, place.slice);
    this.first = first;
    this.units = end - first;
    this.places = layoutOf(model).places;
    this.inputs = isRounded
      ? {
          x: matrix(group.operand, rows, pixels),
          operand: matrix(group.operand, rows, pixels),
          clean: optional(group.cleanOperand, clean, pixels),
        }
      : {
          x: matrix(group.x, rows, pixels),
          operand: matrix(group.operand, pixels, rows),
          clean: optional(group.cleanOperand, pixels, clean),
        };
    this.hidden = matrix(own.hidden, this.units, rows);
    this.logitsGradient = matrix(isRounded ? group.product : place.gradient, classes, rows);
    this.kernelGradient = matrix(group.weights, classes, this.units);
    this.products = { rows: matrix(group.product, classes, rows), clean: optional(group.product, classes, clean) };
    const most = blockUnits(precision);
    this.blocks = Array.from({ length: Math.ceil(this.units / most) }, (_, k) => {
      const from = k * most;
      const units = Math.min(most, this.units - from);
      const { parameters, rounded } = arena.regions;
      const weights = (isRounded ? rounded : parameters) + (this.places[0]!.kernel + (first + from) * pixels) * bytes;
      return {
        first: from,
        units,
        weights: matrix(weights, units, pixels),
        kernel: matrix(own.kernel + from * classes * bytes, units, classes),
        hidden: matrix(own.hidden + from * rows * bytes, units, rows),
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
    const isRounded = this.precision === 'bf16';
    if (isRounded) kernel.round(place.own.kernel, this.units * classes, place.own.kernel);
    const pass = isRounded ? kernel.reluDropoutBf16 : kernel.reluDropout;
    this.beginLogits(place.own.logits, classes, rows);
    this.beginLogits(place.own.clean, classes, clean);
    let activationBound = 0;
    for (const block of this.blocks) {
      const bias = parameters + (this.places[0]!.bias + this.first + block.first) * 4;
      this.tensorflow.multiply(block.weights, false, this.inputs.operand, isRounded, block.hidden);
      const { keep, scale, random } = dropout;
      const at = block.hidden.values.byteOffset;
      activationBound += pass(at, bias, block.units, rows, keep, scale, random);
      this.addProduct(block.kernel, block.hidden, this.products.rows, place.own.logits);
      if (!block.clean) continue;
      // The same weights again while they are in the cache.
      this.tensorflow.multiply(block.weights, false, this.inputs.clean!, isRounded, block.clean);
      pass(block.clean.values.byteOffset, bias, block.units, clean, KEEP_ALL, 1, random);
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
    const isRounded = this.precision === 'bf16';
    const pass = isRounded ? kernel.reluDropoutGradientBf16 : kernel.reluDropoutGradient;
    // The products of the forward pass are not needed any more.
    if (isRounded) kernel.round(place.gradient, classes * rows, group.product);
    const segments = new Segments(kernel, this.arena, place.own.journal, optimizer, update);
    for (const { first, units, ...block } of this.blocks) {
      if (segments.skip(2)) continue;
      tensorflow.multiply(block.kernel, false, this.logitsGradient, false, block.dz);
      const dz = block.dz.values.byteOffset;
      pass(dz, block.hidden.values.byteOffset, units, rows, scale, group.bias);
      tensorflow.multiply(block.dz, false, this.inputs.x, false, block.weightsGradient);
      const unit = this.first + first;
      if (isRounded) kernel.round(group.bias, units, group.bias);
      segments.apply(below.kernel + unit * hidden.inputs, units * hidden.inputs, group.weights);
      segments.apply(below.bias + unit, units, group.bias);
    }
    if (!segments.skip(classes)) {
      tensorflow.multiply(this.logitsGradient, false, this.hidden, true, this.kernelGradient);
      for (let c = 0; c < classes; c++) {
        const gradient = group.weights + c * this.units * BYTES[this.precision];
        segments.apply(above.kernel + c * hidden.units + this.first, this.units, gradient);
      }
    }
    if (this.first > 0) return;
    kernel.biasGradient(place.gradient, classes, rows, group.bias);
    if (isRounded) kernel.round(group.bias, classes, group.bias);
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
    const add = this.precision === 'bf16' ? this.kernel.addBf16 : this.kernel.add;
    add(z, product.values.byteOffset, product.rows * product.columns);
  }
}

const KEEP_ALL = 65536;
