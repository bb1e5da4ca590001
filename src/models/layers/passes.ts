// The passes of a network of layers over one batch shape in one workspace, by TensorFlow's automatic differentiation.
import type * as Tf from '@tensorflow/tfjs-node';
import type { Images } from '../../data/images.js';
import { type Arena, gradientStride, workspaceStart } from '../../engine/arena.js';
import { Progress } from '../../engine/gradient-progress.js';
import type { Masses, Prediction } from '../../methods/method.js';
import { classify, runnersUp } from '../dense/classify.js';
import type { Hardware, MaskStream, Passes } from '../kind.js';
import type { RunnersUp } from '../tasks.js';
import { featuresOf, type LayersModel, offsetsOf, parametersOf, sizeOf } from './model.js';
import { type BuiltModel, type TensorFlow, tensorFlow } from './tensorflow.js';
import { type Places, placesOf } from './workspace.js';

export class LayersPasses implements Passes {
  private readonly tf: TensorFlow = tensorFlow();
  private readonly arena: Arena;
  private readonly kernel: Hardware['kernel'];
  private readonly places: Places;
  /** So many rows of the workspace are no padding. */
  private count = 0;
  /** For each count, those rows: [count, ...inputShape]. */
  private readonly inputs = new Map<number, Tf.Tensor>();
  private readonly progress: Progress;
  private readonly pixels: number;
  private masks: MaskStream | undefined;
  /** Of the step's rows. */
  private share = 1;
  /** All layers but the last. */
  private body: Tf.LayersModel | undefined;
  private gradients: readonly (Float32Array | undefined)[] = [];

  /** rows: a multiple of 8. */
  constructor(
    { kernel, arena }: Hardware,
    private readonly model: LayersModel,
    private readonly built: BuiltModel,
    private readonly rows: number,
    of: { readonly workspace: number; readonly training: boolean },
  ) {
    this.arena = arena;
    this.kernel = kernel;
    this.pixels = sizeOf(model.inputShape);
    this.places = placesOf(model, rows, of.training, workspaceStart(arena, of.workspace));
    this.progress = new Progress(arena);
  }

  loadBytes(images: Uint8Array, first = 0): void {
    if (images.length === 0) return;
    this.bytes(images.length).set(images);
    this.loadCopied(images.length / this.pixels, first);
  }

  load(images: Images, positions: ArrayLike<number>, first: number): void {
    images.gather(positions, this.bytes(positions.length * this.pixels));
    this.loadCopied(positions.length, first);
  }

  /** Makes floats of the bytes of so many rows, and zeros of the rows behind them. */
  private loadCopied(count: number, first: number): void {
    const { x, bytes } = this.places;
    const to = x + first * this.pixels * 4;
    this.count = first + count;
    this.kernel.loadRows(bytes, count, this.rows - first, this.pixels, to);
  }

  private bytes(length: number): Uint8Array {
    return new Uint8Array(this.arena.memory.buffer, this.places.bytes, length);
  }

  keepAsTargets(): void {
    throw new RangeError('a network of layers trains no reconstruction');
  }

  addNoise(sigma: number, state: Uint32Array): void {
    const { x, random } = this.places;
    new Uint32Array(this.arena.memory.buffer, random, 16).set(state);
    this.kernel.addNoise(x, this.rows * this.pixels, sigma, this.arena.regions.normals, random);
  }

  /** With masks, the pass is made by loss(), since it is recorded for the gradient. */
  forward(masks: MaskStream | undefined): void {
    this.masks = masks;
    if (masks) return;
    this.built.masks = undefined;
    this.tf.tidy(() => {
      this.keepLogits(this.built.network.apply(this.input(), { training: false }) as Tf.Tensor);
    });
  }

  features(count: number): Float32Array {
    const { tf, built } = this;
    this.masks = undefined;
    built.masks = undefined;
    const width = featuresOf(this.model);
    const { network } = built;
    const last = network.layers.at(-1)!;
    this.body ??= tf.model({ inputs: network.inputs, outputs: last.input as Tf.SymbolicTensor });
    let features = new Float32Array();
    tf.tidy(() => {
      const read = this.body!.apply(this.input(), { training: false }) as Tf.Tensor;
      features = (read.dataSync() as Float32Array).slice(0, count * width);
      this.keepLogits(last.apply(read) as Tf.Tensor);
    });
    return features;
  }

  loss(share = 1): void {
    const { tf, built } = this;
    this.share = share;
    built.masks = this.masks;
    try {
      // Nothing is returned from tidy(), which looks for tensors among all elements of what is.
      tf.tidy(() => {
        const { grads } = tf.variableGrads(() => this.weightedLogits(), [...built.weights]);
        this.gradients = built.weights.map(({ name }) => grads[name]?.dataSync() as Float32Array | undefined);
      });
    } finally {
      built.masks = undefined;
    }
  }

  /** The sum of the logits times the loss's gradient at them has the gradient of the loss: by the chain rule. */
  private weightedLogits(): Tf.Scalar {
    const { tf, kernel, model, rows, places, count } = this;
    const logits = this.built.network.apply(this.input(), { training: true }) as Tf.Tensor;
    this.keepLogits(logits);
    const loss = model.objective === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    kernel[loss](places.logits, places.bias, places.targets, places.weights, model.classes, rows, places.losses);
    const all = transposed(this.floats(places.logits, model.classes * rows), model.classes, rows);
    const gradient = all.subarray(0, count * model.classes);
    return tf.sum(tf.mul(logits, tf.tensor(gradient, [count, model.classes], 'float32')));
  }

  losses(): Float32Array {
    return this.floats(this.places.losses, this.rows);
  }

  backward(gradientBuffer: number): boolean {
    const { arena, model, gradients } = this;
    const start = arena.regions.gradientBuffers + gradientBuffer * gradientStride(arena.shape);
    const length = parametersOf(model);
    const to = this.floats(start, length).fill(0);
    const offsets = offsetsOf(model);
    let finite = true;
    gradients.forEach((gradient, w) => {
      if (!gradient) return; // nothing depends on this weight
      to.set(gradient, offsets[w]!);
      finite &&= gradient.every(Number.isFinite);
    });
    finite = this.writeStatistics(to, offsets.slice(gradients.length)) && finite;
    this.progress.reached(gradientBuffer, length);
    return finite;
  }

  /**
   * Writes the shard's part of the way from each moving average to what the step's rows have: the parts of all shards lead to their mean.
   * to: a gradient buffer.
   */
  private writeStatistics(to: Float32Array, offsets: readonly number[]): boolean {
    const { parameters } = this.arena.regions;
    let finite = true;
    this.built.statistics.forEach(({ layer, moment }, s) => {
      const seen = layer.seen?.[moment];
      if (!seen) return; // nothing depends on this layer
      const moving = this.floats(parameters + 4 * offsets[s]!, seen.length);
      const part = (1 - layer.momentum) * this.share;
      to.set(
        seen.map((value, i) => (moving[i]! - value) * part),
        offsets[s]!,
      );
      finite &&= seen.every(Number.isFinite);
    });
    return finite;
  }

  classify(count: number, logitShift?: Float32Array, masses: Masses = 'plain'): Prediction {
    this.floats(this.places.bias, this.model.classes).fill(0);
    const { classes, objective } = this.model;
    const at = { ...this.places, classes, rows: this.rows, softmax: objective === 'softmax' };
    return classify(this.kernel, this.arena.memory, at, count, logitShift, masses);
  }

  runnersUp(first: Prediction): RunnersUp {
    const { classes, objective } = this.model;
    const at = { logits: this.places.logits, classes, rows: this.rows, softmax: objective === 'softmax' };
    return runnersUp(this.arena.memory, at, first);
  }

  targets(): Float32Array {
    return this.floats(this.places.targets, this.rows * this.model.classes);
  }

  weights(): Float32Array {
    return this.floats(this.places.weights, this.rows);
  }

  /** Frees what TensorFlow keeps for it. */
  dispose(): void {
    for (const input of this.inputs.values()) input.dispose();
    this.built.network.dispose();
  }

  /** Padding would count in the statistics of batch normalisation. */
  private input(): Tf.Tensor {
    const { count, pixels, tf } = this;
    let input = this.inputs.get(count);
    if (!input) {
      const values = this.floats(this.places.x, count * pixels);
      input = tf.keep(tf.tensor(values, [count, ...this.model.inputShape], 'float32'));
      this.inputs.set(count, input);
    }
    return input;
  }

  /** To [classes, rows], as the kernel reads them. */
  private keepLogits(logits: Tf.Tensor): void {
    const { classes } = this.model;
    const values = new Float32Array(this.rows * classes);
    values.set(logits.dataSync() as Float32Array);
    this.floats(this.places.logits, classes * this.rows).set(transposed(values, this.rows, classes));
    this.floats(this.places.bias, classes).fill(0);
  }

  private floats(address: number, length: number): Float32Array {
    return new Float32Array(this.arena.memory.buffer, address, length);
  }
}

/** [rows, columns] as [columns, rows]. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c]!;
  return result;
}
