// The passes of a dense network over one batch shape in one workspace: forward, loss, backward.
import type { Images } from '../../data/images.js';
import { type Arena, workspaceStart } from '../../engine/arena.js';
import { GradientProgress } from '../../engine/gradient-progress.js';
import type { Kernel } from '../../engine/kernel/kernel.js';
import type { Masses, Prediction } from '../../methods/method.js';
import type { Hardware, MaskStream, Passes } from '../kind.js';
import type { RunnersUp } from '../tasks.js';
import { classify, runnersUp } from './classify.js';
import { GradientBuffers } from './gradient-buffers.js';
import { Inputs } from './inputs.js';
import { Dense, dropoutOf } from './layer.js';
import type { DenseModel } from './model.js';
import { addressesIn, layoutOf } from './model.js';
import { type Workspace, workspaceOf } from './workspace.js';

/** Above this bound a sum of products could exceed the largest float (3.4e38). */
export const FINITE_BOUND = 1e38;

export class Network implements Passes {
  private readonly kernel: Kernel;
  private readonly arena: Arena;
  readonly buffers: Workspace;
  private readonly layers: readonly Dense[];
  private readonly inputs: Inputs;
  private readonly gradientBuffers: GradientBuffers;
  private readonly progress: GradientProgress;
  /** For each layer, a bound that no element that it read in the last forward pass exceeds. */
  private readonly inputBounds: number[] = [];

  /** rows: a multiple of 8. */
  constructor(
    hardware: Hardware,
    private readonly model: DenseModel,
    readonly rows: number,
    options: { readonly workspace: number; readonly training: boolean },
  ) {
    const { products, kernel, arena } = hardware;
    this.kernel = kernel;
    this.arena = arena;
    const buffers = workspaceOf(model, rows, options.training, workspaceStart(arena, options.workspace));
    this.buffers = buffers;
    this.inputs = new Inputs(hardware, model, rows, buffers);
    this.progress = new GradientProgress(arena);
    this.layers = model.layers.map((layer, l) => {
      const place = {
        ...addressesIn(arena.regions.parameters, model, l),
        output: buffers.outputs[l]!,
        gradient: buffers.gradients[l],
        gradientLists: buffers.gradientLists,
      };
      return new Dense(products, kernel, layer, rows, place);
    });
    this.gradientBuffers = new GradientBuffers(arena, model, this.layers);
  }

  loadBytes(images: Uint8Array, first?: number): void {
    this.inputs.loadBytes(images, first);
  }

  load(images: Images, positions: ArrayLike<number>, first: number): void {
    this.inputs.load(images, positions, first);
  }

  keepAsTargets(): void {
    this.inputs.keepAsTargets();
  }

  addNoise(sigma: number, state: Uint32Array): void {
    this.inputs.addNoise(sigma, state);
  }

  /** Runs the forward pass to the logits, without their bias. masks: undefined for a pass without dropout. */
  forward(masks: MaskStream | undefined): void {
    const { random } = this.buffers;
    const draw = (rate: number, layer: number) => {
      if (!masks || rate === 0) return dropoutOf(0, random);
      new Uint32Array(this.arena.memory.buffer, random, 16).set(masks(layer));
      return dropoutOf(rate, random);
    };
    const { keep, scale } = draw(this.model.inputDropout, -1);
    this.inputs.prepare(keep, scale, random);
    let input = this.inputs.read;
    this.inputBounds[0] = scale;
    this.layers.slice(0, -1).forEach((dense, l) => {
      this.inputBounds[l + 1] = dense.forward(input, draw(dense.layer.dropout, l));
      input = dense.activations;
    });
    this.layers.at(-1)!.forwardLinear(input);
  }

  features(count: number): Float32Array {
    this.forward(undefined);
    const { inputs } = this.layers.at(-1)!.layer;
    const hidden = this.layers.at(-2);
    if (!hidden) return this.floats(this.buffers.x, count * inputs).slice();
    const { values } = hidden.output;
    const features = new Float32Array(count * inputs);
    for (let u = 0; u < inputs; u++)
      for (let r = 0; r < count; r++) features[r * inputs + u] = values[u * this.rows + r]!;
    return features;
  }

  /**
   * Replaces the logits by the gradient of sum_r weights[r] * loss[r]. The losses of the rows, not weighted, are then
   * in buffers.losses.
   */
  loss(): void {
    const { logits, targets, weights, losses } = this.buffers;
    const last = this.layers.length - 1;
    const { units } = this.layers[last]!.layer;
    const loss = this.model.objective === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    this.kernel[loss](logits, this.bias(last), targets, weights, units, this.rows, losses);
  }

  /** Writes the gradient of all parameters to a gradient buffer. Returns false if an element may not be finite. */
  backward(gradientBuffer: number): boolean {
    const places = this.gradientBuffers.begin(gradientBuffer);
    this.inputs.prepareBackward();
    let finite = true;
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const dense = this.layers[l]!;
      const input = l === 0 ? this.inputs.read : this.layers[l - 1]!.activations;
      const next = this.layers[l + 1];
      const { scale } = dropoutOf(dense.layer.dropout, this.buffers.random);
      const written = (units: number): void => {
        // Progress must grow in the vector's order, so that only the first layer reports parts; the layers above are
        // finished.
        if (l === 0) this.progress.reached(gradientBuffer, units * dense.layer.inputs);
      };
      const largest = next
        ? dense.backward(next, scale, input, places[l]!, written)
        : dense.backwardOutput(input, places[l]!);
      // |sum_r dz[u, r] x[r, i]| <= sum_r |dz[u, r]| * max |x|, so that no pass over the gradient itself is needed. The
      // comparison is also false for NaN.
      finite &&= largest * this.inputBounds[l]! < FINITE_BOUND;
    }
    this.progress.reached(gradientBuffer, layoutOf(this.model).length);
    return finite;
  }

  /** Predicts the first `count` rows from the logits of the last forward pass (classify.ts). */
  classify(count: number, logitShift?: Float32Array, masses: Masses = 'plain'): Prediction {
    const { classes: predicted, ...buffers } = this.buffers;
    const last = this.layers.length - 1;
    const { units: classes } = this.layers[last]!.layer;
    const softmax = this.model.objective === 'softmax';
    const at = { ...buffers, bias: this.bias(last), classes, rows: this.rows, softmax, predicted };
    return classify(this.kernel, this.arena.memory, at, count, logitShift, masses);
  }

  runnersUp(first: Prediction): RunnersUp {
    const { units: classes } = this.layers.at(-1)!.layer;
    const softmax = this.model.objective === 'softmax';
    return runnersUp(this.arena.memory, { logits: this.buffers.logits, classes, rows: this.rows, softmax }, first);
  }

  targets(): Float32Array {
    return this.floats(this.buffers.targets, this.rows * this.layers.at(-1)!.layer.units);
  }

  weights(): Float32Array {
    return this.floats(this.buffers.weights, this.rows);
  }

  /** Returns the losses of the rows, not weighted. It is called after loss(). */
  losses(): Float32Array {
    return this.floats(this.buffers.losses, this.rows);
  }

  /** Returns the address of a layer's biases. */
  private bias(l: number): number {
    return addressesIn(this.arena.regions.parameters, this.model, l).bias;
  }

  private floats(address: number, length: number): Float32Array {
    return new Float32Array(this.arena.memory.buffer, address, length);
  }
}
