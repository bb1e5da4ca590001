// The passes of a network of layers over one batch shape in one workspace, by TensorFlow's automatic differentiation.
import type * as Tf from '@tensorflow/tfjs-node';
import type { Images } from '../../data/images.js';
import { type Arena, gradientStride, workspaceStart } from '../../engine/arena.js';
import { Progress } from '../../engine/gradient-progress.js';
import type { Masses, Prediction } from '../../methods/method.js';
import { classify, runnersUp } from '../dense/classify.js';
import type { Hardware, MaskStream, Passes } from '../kind.js';
import type { RunnersUp } from '../tasks.js';
import { type LayersModel, offsetsOf, parametersOf, sizeOf } from './model.js';
import { type BuiltModel, type TensorFlow, tensorFlow } from './tensorflow.js';
import { type Places, placesOf } from './workspace.js';

export class LayersPasses implements Passes {
  private readonly tf: TensorFlow = tensorFlow();
  private readonly arena: Arena;
  private readonly kernel: Hardware['kernel'];
  private readonly places: Places;
  /** The rows in the workspace, [rows, ...inputShape]. */
  private readonly x: Tf.Tensor;
  private readonly progress: Progress;
  private readonly pixels: number;
  private masks: MaskStream | undefined;
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
    this.x = this.tf.keep(
      this.tf.tensor(this.floats(this.places.x, rows * this.pixels), [rows, ...model.inputShape], 'float32'),
    );
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
      this.keepLogits(this.built.network.apply(this.x, { training: false }) as Tf.Tensor);
    });
  }

  loss(): void {
    const { tf, built } = this;
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
    const { tf, kernel, model, rows, places } = this;
    const logits = this.built.network.apply(this.x, { training: true }) as Tf.Tensor;
    this.keepLogits(logits);
    const loss = model.objective === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    kernel[loss](places.logits, places.bias, places.targets, places.weights, model.classes, rows, places.losses);
    const gradient = transposed(this.floats(places.logits, model.classes * rows), model.classes, rows);
    return tf.sum(tf.mul(logits, tf.tensor(gradient, [rows, model.classes], 'float32')));
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
    this.progress.reached(gradientBuffer, length);
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
    this.x.dispose();
    this.built.network.dispose();
  }

  /** To [classes, rows], as the kernel reads them. */
  private keepLogits(logits: Tf.Tensor): void {
    const { classes } = this.model;
    const values = transposed(logits.dataSync() as Float32Array, this.rows, classes);
    this.floats(this.places.logits, classes * this.rows).set(values);
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
