// The passes of a chain of layers by the library of products. A few images at a time go through all layers, so that
// their data stay in the caches.
import { type NativeConvolution, sizesOf } from '../../engine/native/convolution.js';
import { exponential, logarithm } from '../../exponential.js';
import type { Hardware, MaskStream, Passes } from '../kind.js';
import { areFinite, LayersBatch, LEAST_PROBABILITY, MASKS_A_MEMBER, transposed } from './batch-rows.js';
import { type Chain, type ChainStep, type ChainTensor, interiorOf } from './chain.js';
import { applyMasks, pixelGradient, pixelMeans } from './chain-steps.js';
import { type ChainPlaces, type ConvolutionPlaces, chainPlacesOf, TOGETHER } from './chain-workspace.js';
import { maskOf } from './dropout.js';
import { featuresOf, type LayersModel, membersOf, offsetsOf } from './model.js';

type Convolution = Extract<ChainStep, { kind: 'convolution' }>;

/** A convolution with its library object, and where its arrays are. */
interface Bound {
  readonly step: Convolution;
  readonly native: NativeConvolution;
  readonly unfolding: NativeConvolution | undefined;
  readonly at: ConvolutionPlaces;
}

export class ChainPasses extends LayersBatch implements Passes {
  private readonly at: ChainPlaces;
  /** One for each step; undefined if the step is no convolution. */
  private readonly bound: readonly (Bound | undefined)[];
  private masks: MaskStream | undefined;
  /** For each step of dropout, the masks [rows, values] of the member whose pass is running. */
  private drawn: readonly (Float32Array | undefined)[] = [];

  /** rows: a multiple of 8. */
  constructor(
    hardware: Hardware,
    model: LayersModel,
    private readonly chain: Chain,
    rows: number,
    of: { readonly workspace: number; readonly training: boolean },
  ) {
    super(hardware, model, rows, of);
    this.at = chainPlacesOf(chain, model, of.training, this.places.end);
    const { native } = hardware.products;
    this.bound = chain.steps.map((step, s) => {
      if (step.kind !== 'convolution') return undefined;
      const unfolding = step.unfolded && native.convolution(step.unfolded);
      return { step, native: native.convolution(step.shape), unfolding, at: this.at.convolutions[s]! };
    });
  }

  /**
   * Runs the forward pass. If there are masks, loss() does it instead, because it goes back through the same images at
   * once.
   */
  forward(masks: MaskStream | undefined): void {
    this.masks = masks;
    if (!masks) this.pass(() => undefined);
  }

  features(count: number): Float32Array {
    this.masks = undefined;
    const members = membersOf(this.model);
    const width = featuresOf(this.model);
    const result = new Float32Array(count * width * members);
    const last = this.bound.findLast((each) => each !== undefined)!.step;
    this.pass((member, first, images) => {
      for (let n = 0; n < Math.min(images, count - first); n++)
        result.set(this.valuesOf(last.from, n), ((first + n) * members + member) * width);
    });
    return result;
  }

  /**
   * Runs a pass without dropout to the logits. For several members these are the logarithm of their mean probabilities.
   */
  private pass(seen: (member: number, first: number, images: number) => void): void {
    const { classes } = this.model;
    const members = membersOf(this.model);
    const all = new Float32Array(this.rows * classes);
    for (let member = 0; member < members; member++) {
      this.begin(member);
      this.eachFew((first, images) => {
        this.through(first, images, member, false);
        seen(member, first, images);
        for (let n = 0; n < images; n++) {
          const logits = this.valuesOf(this.chain.tensors.length - 1, n);
          const to = all.subarray((first + n) * classes, (first + n + 1) * classes);
          if (members === 1) to.set(logits);
          else addProbabilities(logits, to, members);
        }
      });
    }
    if (members > 1)
      all.forEach((mean, i) => {
        all[i] = logarithm(Math.max(mean, LEAST_PROBABILITY));
      });
    this.floats(this.places.logits, classes * this.rows).set(transposed(all, this.rows, classes));
    this.floats(this.places.bias, classes).fill(0);
  }

  loss(): void {
    const members = membersOf(this.model);
    const losses = new Float32Array(this.rows);
    for (let member = 0; member < members; member++) {
      this.begin(member);
      this.drawn = this.draw(member);
      this.eachFew((first, images) => {
        this.through(first, images, member, true);
        this.lossOf(first, images).forEach((loss, n) => {
          losses[first + n]! += loss / members;
        });
        this.back(first, images, member);
      });
    }
    this.drawn = [];
    this.losses().set(losses);
  }

  backward(gradientBuffer: number): boolean {
    const to = this.cleared(gradientBuffer);
    let finite = true;
    for (let member = 0; member < membersOf(this.model); member++) {
      const offsets = offsetsOf(this.model, member);
      for (const each of this.bound) {
        if (!each) continue;
        const { step, native, at } = each;
        const { filters, bias } = at.gradients[member]!;
        native.unpack(filters, to.byteOffset + 4 * offsets[step.kernel]!);
        if (step.bias !== undefined) to.set(this.floats(bias, step.shape.filters), offsets[step.bias]!);
      }
    }
    finite = areFinite(to);
    this.reached(gradientBuffer);
    return finite;
  }

  /** Calls use(first, images) for a few rows at a time, leaving out the padding. */
  private eachFew(use: (first: number, images: number) => void): void {
    for (let first = 0; first < this.count; first += TOGETHER) use(first, Math.min(TOGETHER, this.count - first));
  }

  /** Prepares the weights of a member, and the arrays of sums. */
  private begin(member: number): void {
    const offsets = offsetsOf(this.model, member);
    const { parameters } = this.arena.regions;
    // Other networks use the same workspace, so that borders may no longer be zero. Everything else is written before
    // it is read.
    for (const [t, { height, width, channels, image }] of this.chain.tensors.entries())
      if (image > height * width * channels) this.floats(this.at.tensors[t]!.values, TOGETHER * image).fill(0);
    for (const each of this.bound) {
      if (!each) continue;
      const { step, native, at } = each;
      native.pack(parameters + 4 * offsets[step.kernel]!, at.packed, at.filters);
      const gradients = at.gradients[member];
      if (!gradients) continue;
      const sizes = sizesOf(step.shape, TOGETHER);
      this.floats(gradients.filters, sizes.filterGradient).fill(0);
      this.floats(gradients.bias, sizes.biasGradient).fill(0);
    }
    this.floats(this.at.noBias, Math.max(...this.bound.map((each) => each?.step.shape.filters ?? 0))).fill(0);
  }

  /** Draws the masks of all rows, in the order of the rows. */
  private draw(member: number): (Float32Array | undefined)[] {
    const { masks, count } = this;
    return this.chain.steps.map((step) => {
      if (step.kind !== 'dropout' || !masks || step.rate === 0) return undefined;
      const { height, width, channels } = this.chain.tensors[step.at]!;
      const values = height * width * channels;
      return maskOf(masks(step.index + member * MASKS_A_MEMBER), count * values, step.rate);
    });
  }

  /** Takes the images [first, first + images) through the chain. */
  private through(first: number, images: number, member: number, training: boolean): void {
    this.read(first, images);
    const offsets = offsetsOf(this.model, member);
    const { parameters } = this.arena.regions;
    this.chain.steps.forEach((step, s) => {
      if (step.kind === 'dropout') this.mask(s, 'values', first, images);
      else if (step.kind === 'mean')
        pixelMeans(this.tensor(step.from), this.few(step.from, 'values', images), this.few(step.to, 'values', images));
      else {
        const { native, unfolding, at } = this.bound[s]!;
        const { values } = this.at.tensors[step.from]!;
        if (unfolding) unfolding.unfold(images, values, at.unfolded);
        const to = this.chain.tensors[step.to]!;
        native.forward(images, {
          input: unfolding ? at.unfolded : values,
          packed: at.packed,
          sums: this.at.sums,
          bias: step.bias === undefined ? this.at.noBias : parameters + 4 * offsets[step.bias]!,
          output: this.at.tensors[step.to]!.values + 4 * interiorOf(to),
          largest: training ? at.largest : 0,
        });
      }
    });
  }

  /** Copies images into the first tensor. */
  private read(first: number, images: number): void {
    const input = this.chain.tensors[0]!;
    const { pixels } = this;
    const row = pixels / input.height;
    const from = this.floats(this.places.x + 4 * first * pixels, images * pixels);
    const to = this.floats(this.at.tensors[0]!.values, images * input.image);
    for (let line = 0; line < images * input.height; line++) {
      const image = Math.floor(line / input.height) * input.image;
      const at = image + interiorOf(input) + (line % input.height) * input.line;
      to.set(from.subarray(line * row, (line + 1) * row), at);
    }
  }

  /** Runs the backward pass from the gradient at the logits. */
  private back(first: number, images: number, member: number): void {
    for (let s = this.chain.steps.length - 1; s >= 0; s--) {
      const step = this.chain.steps[s]!;
      if (step.kind === 'dropout') {
        if (step.at > 0) this.mask(s, 'gradient', first, images);
      } else if (step.kind === 'mean') {
        const given = this.few(step.to, 'gradient', images);
        if (step.from > 0) pixelGradient(this.tensor(step.from), given, this.few(step.from, 'gradient', images));
      } else {
        const { native, unfolding, at } = this.bound[s]!;
        const [from, to] = [this.at.tensors[step.from]!, this.at.tensors[step.to]!];
        const interior = 4 * interiorOf(this.chain.tensors[step.to]!);
        const { filters: filterGradient, bias: biasGradient } = at.gradients[member]!;
        native.backward(images, {
          input: unfolding ? at.unfolded : from.values,
          filters: at.filters,
          largest: at.largest,
          output: to.values + interior,
          outputGradient: to.gradient + interior,
          inputGradient: from.gradient,
          filterGradient,
          biasGradient,
          sums: this.at.sums,
          lists: this.at.lists,
        });
      }
    }
  }

  /** Computes the losses of a few rows. The gradient of the weighted losses goes into the last tensor's gradient. */
  private lossOf(first: number, images: number): Float32Array {
    const { kernel, model, rows } = this;
    const { classes, objective } = model;
    const { logits, targets, weights, losses } = this.at;
    const last = this.chain.tensors.length - 1;
    const to = this.floats(logits, classes * TOGETHER).fill(0);
    for (let n = 0; n < images; n++)
      this.valuesOf(last, n).forEach((value, c) => {
        to[c * TOGETHER + n] = value;
      });
    const all = this.targets();
    const few = this.floats(targets, classes * TOGETHER);
    for (let c = 0; c < classes; c++)
      few.set(all.subarray(c * rows + first, c * rows + first + TOGETHER), c * TOGETHER);
    this.floats(weights, TOGETHER).set(this.weights().subarray(first, first + TOGETHER));
    this.floats(this.places.bias, classes).fill(0);
    const loss = objective === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    kernel[loss](logits, this.places.bias, targets, weights, classes, TOGETHER, losses);
    const { image } = this.chain.tensors[last]!;
    const gradient = this.floats(this.at.tensors[last]!.gradient, images * image);
    for (let n = 0; n < images; n++) for (let c = 0; c < classes; c++) gradient[n * image + c] = to[c * TOGETHER + n]!;
    return this.floats(losses, images);
  }

  private mask(step: number, of: 'values' | 'gradient', first: number, images: number): void {
    const masks = this.drawn[step];
    const dropout = this.chain.steps[step]!;
    if (!masks || dropout.kind !== 'dropout') return;
    const tensor = this.tensor(dropout.at);
    const { height, width, channels } = tensor;
    applyMasks(tensor, this.few(dropout.at, of, images), masks, first * height * width * channels);
  }

  private tensor(t: number): ChainTensor {
    return this.chain.tensors[t]!;
  }

  /** Returns the values of a tensor, or the gradient at it, for this many images. */
  private few(t: number, of: 'values' | 'gradient', images: number): Float32Array {
    return this.floats(this.at.tensors[t]![of], images * this.tensor(t).image);
  }

  /** Returns image n of a tensor without a border. */
  private valuesOf(tensor: number, n: number): Float32Array {
    const { image } = this.chain.tensors[tensor]!;
    return this.floats(this.at.tensors[tensor]!.values + 4 * n * image, image);
  }
}

/** Adds softmax(logits), divided by the number of parts, to `to`. */
function addProbabilities(logits: Float32Array, to: Float32Array, parts: number): void {
  const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const powers = Array.from(logits, (logit) => exponential(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  powers.forEach((power, c) => {
    to[c]! += power / total / parts;
  });
}
