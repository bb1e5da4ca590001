// Owns a model's passes over one batch shape in one lane: inputs, forward, loss, backward. Knows nothing of shards, labels or schedules.
import { type Arena, laneStart, slotStride } from './arena.js';
import { type Buffers, buffersOf } from './buffers.js';
import { classify } from './classify.js';
import { Dense, dropoutOf, type GradientPlace } from './dense.js';
import type { Kernel } from './kernel/kernel.js';
import { BYTES, isRounded, layoutOf, type Model, type Precision, precisionOf } from './model.js';
import { Progress } from './progress.js';
import type { Matrix, Products } from './tensorflow.js';

/** The random state (16 words) that a layer's dropout mask is drawn from; layer -1 is the input. */
export type MaskStream = (layer: number) => Uint32Array;

/** Above it a sum of products could pass the largest float (3.4e38). */
export const FINITE_BOUND = 1e38;

export class Network {
  readonly buffers: Buffers;
  private readonly layers: readonly Dense[];
  /** The inputs as the forward and the backward pass read them. */
  private readonly inputs: { readonly forward: Matrix; readonly backward: Matrix; readonly forwardIsRowMajor: boolean };
  private readonly layout;
  private readonly precision: Precision;
  private readonly progress: Progress;
  private readonly slots = new Map<number, readonly GradientPlace[]>();
  /** Not smaller than any element that each layer read in the last forward pass. */
  private readonly inputBounds: number[] = [];

  /** rows: a multiple of 8. */
  constructor(
    products: Products,
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    private readonly model: Model,
    readonly rows: number,
    options: { readonly lane: number; readonly training: boolean },
  ) {
    const buffers = buffersOf(model, rows, options.training, laneStart(arena, options.lane));
    const pixels = model.layers[0]!.inputs;
    this.buffers = buffers;
    this.layout = layoutOf(model);
    this.precision = precisionOf(model);
    this.progress = new Progress(arena);
    this.inputs = this.inputsOf(products, pixels);
    const { parameters, rounded } = arena.regions;
    this.layers = model.layers.map((layer, l) => {
      const place = {
        kernel: this.addresses(isRounded(model) ? rounded : parameters, l, this.precision).kernel,
        bias: this.bias(l),
        output: buffers.outputs[l]!,
        gradient: buffers.gradients[l],
        scratch: buffers.scratch,
      };
      return new Dense(products, kernel, layer, rows, place, this.precision);
    });
  }

  private inputsOf(products: Products, pixels: number) {
    const { buffers, rows } = this;
    if (isRounded(this.model)) {
      const operand = products.matrix(buffers.operand, rows, pixels, this.precision);
      return { forward: operand, backward: operand, forwardIsRowMajor: true };
    }
    const backward = products.matrix(buffers.x, rows, pixels);
    return { forward: products.matrix(buffers.operand, pixels, rows), backward, forwardIsRowMajor: false };
  }

  /** Loads rows whose bytes came with the task, from row 0 on. */
  loadBytes(images: Uint8Array): void {
    if (images.length === 0) return;
    new Uint8Array(this.arena.memory.buffer, this.buffers.labelled, images.length).set(images);
    const rows = images.length / this.model.layers[0]!.inputs;
    this.load(
      this.buffers.labelled,
      Uint32Array.from({ length: rows }, (_, r) => r),
      0,
    );
  }

  /** Loads rows from row `first` on, and zeros behind them; images: address of bytes; positions: each row's image among them. */
  load(images: number, positions: ArrayLike<number>, first: number): void {
    const pixels = this.model.layers[0]!.inputs;
    this.uint32(this.buffers.indices, positions.length).set(positions);
    const to = this.buffers.x + first * pixels * 4;
    this.kernel.loadRows(images, this.buffers.indices, positions.length, this.rows - first, pixels, to);
  }

  /** The targets of a reconstruction: the inputs as they are now, before noise. */
  keepInputsAsTargets(): void {
    this.kernel.transpose(this.buffers.x, this.rows, this.model.layers[0]!.inputs, this.buffers.targets);
  }

  /** x = clip(x + sigma N(0, 1), 0, 1). */
  addNoise(sigma: number, state: Uint32Array): void {
    this.uint32(this.buffers.random, 16).set(state);
    const { x, random } = this.buffers;
    this.kernel.addNoise(x, this.rows * this.model.layers[0]!.inputs, sigma, this.arena.regions.normals, random);
  }

  /** Forward pass to the logits (without their bias). masks: undefined for a pass without dropout. */
  forward(masks: MaskStream | undefined): void {
    const { x, operand, random } = this.buffers;
    const { inputDropout, layers } = this.model;
    const pixels = layers[0]!.inputs;
    const draw = (rate: number, layer: number) => {
      if (!masks || rate === 0) return dropoutOf(0, random);
      this.uint32(random, 16).set(masks(layer));
      return dropoutOf(rate, random);
    };
    const { keep, scale } = draw(inputDropout, -1);
    if (scale !== 1) this.kernel.dropout(x, this.rows * pixels, keep, scale, random);
    if (isRounded(this.model)) this.kernel.round(x, this.rows * pixels, operand);
    else this.kernel.transpose(x, this.rows, pixels, operand);
    let { forward: input, forwardIsRowMajor: isRowMajor } = this.inputs;
    this.inputBounds[0] = scale;
    this.layers.slice(0, -1).forEach((dense, l) => {
      this.inputBounds[l + 1] = dense.forward(input, isRowMajor, draw(dense.layer.dropout, l));
      input = dense.output;
      isRowMajor = false;
    });
    const { output } = this.layers.at(-1)!;
    this.layers.at(-1)!.forwardLinear(input, isRowMajor);
    if (isRounded(this.model))
      this.kernel.widen(output.values.byteOffset, output.rows * this.rows, this.buffers.logits);
  }

  /** Replaces the logits by the gradient of sum_r weights[r] * loss[r]; the losses of the rows are in buffers.losses, not weighted. */
  loss(): void {
    const { outputs, logits, targets, weights, losses } = this.buffers;
    const last = this.layers.length - 1;
    const { units } = this.layers[last]!.layer;
    const loss = this.model.objective === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    this.kernel[loss](logits, this.bias(last), targets, weights, units, this.rows, losses);
    if (isRounded(this.model)) this.kernel.round(logits, units * this.rows, outputs[last]!);
  }

  /** Writes the gradient of all parameters to a slot. Returns false where an element may not be finite. */
  backward(slot: number): boolean {
    const places = this.gradientPlaces(slot);
    this.clearPadding(slot);
    let finite = true;
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const dense = this.layers[l]!;
      const input = l === 0 ? this.inputs.backward : this.layers[l - 1]!.output;
      const next = this.layers[l + 1];
      const { scale } = dropoutOf(dense.layer.dropout, this.buffers.random);
      const written = (units: number): void => {
        // The layers above are there already, but what comes first goes first.
        if (l === 0) this.progress.reached(slot, units * dense.layer.inputs);
      };
      const largest = next
        ? dense.backward(next, scale, input, l === 0, places[l]!, written)
        : dense.backwardOutput(this.buffers.logits, input, l === 0, places[l]!);
      // |sum_r dz[u, r] x[r, i]| <= sum_r |dz[u, r]| * max |x|: no pass over the gradient itself. NaN fails the comparison too.
      finite &&= largest * this.inputBounds[l]! < FINITE_BOUND;
    }
    this.progress.reached(slot, this.layout.length);
    return finite;
  }

  /**
   * Classes and confidences of all rows, from the logits of the last forward pass. logitShift, and what is returned of the first `count` rows:
   * as of classify() in classify.ts.
   */
  classify(count: number, logitShift?: Float32Array): number[] {
    const { classes: predicted, ...buffers } = this.buffers;
    const last = this.layers.length - 1;
    const { units: classes } = this.layers[last]!.layer;
    const { rows } = this;
    const softmax = this.model.objective === 'softmax';
    const at = { ...buffers, bias: this.bias(last), classes, rows, softmax, predicted };
    return classify(this.kernel, this.arena.memory, at, count, logitShift);
  }

  targets(): Float32Array {
    return this.floats(this.buffers.targets, this.rows * this.layers.at(-1)!.layer.units);
  }

  weights(): Float32Array {
    return this.floats(this.buffers.weights, this.rows);
  }

  /** Of the rows, not weighted, after loss(). */
  losses(): Float32Array {
    return this.floats(this.buffers.losses, this.rows);
  }

  /** Copies of the first `rows` predictions, after classify(). */
  predictions(rows: number): { classes: Uint8Array; confidences: Float32Array } {
    const classes = new Uint8Array(this.arena.memory.buffer, this.buffers.classes, rows);
    return { classes: Uint8Array.from(classes), confidences: this.floats(this.buffers.confidences, rows).slice() };
  }

  private gradientPlaces(slot: number): readonly GradientPlace[] {
    let places = this.slots.get(slot);
    if (!places) {
      const start = this.arena.regions.slots + slot * slotStride(this.arena.shape);
      places = this.layers.map((dense, l) => {
        const { kernel, bias } = this.addresses(start, l, this.precision);
        return dense.gradientPlace(kernel, bias);
      });
      this.slots.set(slot, places);
    }
    return places;
  }

  /** The optimizer takes the whole vector: what a model of other sizes left between the parts must not get into the parameters. */
  private clearPadding(slot: number): void {
    const stride = slotStride(this.arena.shape);
    const elements = isRounded(this.model) ? Uint16Array : Float32Array;
    const gradient = new elements(
      this.arena.memory.buffer,
      this.arena.regions.slots + slot * stride,
      this.layout.length,
    );
    const { places, length } = this.layout;
    this.model.layers.forEach(({ inputs, units }, l) => {
      const { kernel, bias } = places[l]!;
      gradient.fill(0, kernel + inputs * units, bias);
      gradient.fill(0, bias + units, places[l + 1]?.kernel ?? length);
    });
  }

  /** Of a layer's parameters in a vector of elements of this precision. */
  private addresses(vector: number, l: number, precision: Precision): { kernel: number; bias: number } {
    const { kernel, bias } = this.layout.places[l]!;
    return { kernel: vector + kernel * BYTES[precision], bias: vector + bias * BYTES[precision] };
  }

  /** Address of a layer's biases. */
  private bias(l: number): number {
    return this.addresses(this.arena.regions.parameters, l, 'f32').bias;
  }

  private floats(address: number, length: number): Float32Array {
    return new Float32Array(this.arena.memory.buffer, address, length);
  }

  private uint32(address: number, length: number): Uint32Array {
    return new Uint32Array(this.arena.memory.buffer, address, length);
  }
}
