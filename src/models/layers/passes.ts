// The passes of a network of layers by TensorFlow's automatic differentiation, for networks that are no plain chains
// (chain-passes.ts).
import type * as Tf from '@tensorflow/tfjs-node';
import type { Hardware, MaskStream, Passes } from '../kind.js';
import { areFinite, LayersBatch, LEAST_PROBABILITY, MASKS_A_MEMBER, transposed } from './batch-rows.js';
import { featuresOf, type LayersModel, offsetsOf } from './model.js';
import { type BuiltModel, type TensorFlow, tensorFlow } from './tensorflow.js';

export class LayersPasses extends LayersBatch implements Passes {
  private readonly tf: TensorFlow = tensorFlow();
  /** The input tensor for each count of rows, [count, ...inputShape]. */
  private readonly inputs = new Map<number, Tf.Tensor>();
  private masks: MaskStream | undefined;
  /** The share of the step's rows that this batch has. */
  private share = 1;
  /** For each member, a model of all layers but the last. */
  private readonly bodies = new Map<BuiltModel, Tf.LayersModel>();
  /** For each member, the gradients of its weights. */
  private gradients: readonly (readonly (Float32Array | undefined)[])[] = [];

  /** rows: a multiple of 8. members: each member of the model. */
  constructor(
    hardware: Hardware,
    model: LayersModel,
    private readonly members: readonly BuiltModel[],
    rows: number,
    of: { readonly workspace: number; readonly training: boolean },
  ) {
    super(hardware, model, rows, of);
  }

  /**
   * Runs the forward pass. If there are masks, loss() does it instead, because the pass is recorded for the gradient.
   */
  forward(masks: MaskStream | undefined): void {
    this.masks = masks;
    if (masks) return;
    this.tf.tidy(() => {
      this.keepMean(this.members.map(({ network }) => network.apply(this.input(), { training: false }) as Tf.Tensor));
    });
  }

  features(count: number): Float32Array {
    const { tf, members } = this;
    this.masks = undefined;
    const width = featuresOf(this.model);
    const features = new Float32Array(count * width * members.length);
    tf.tidy(() => {
      const logits = members.map((member, m) => {
        const last = member.network.layers.at(-1)!;
        const read = this.bodyOf(member).apply(this.input(), { training: false }) as Tf.Tensor;
        const values = read.dataSync() as Float32Array;
        for (let r = 0; r < count; r++)
          features.set(values.subarray(r * width, (r + 1) * width), (r * members.length + m) * width);
        return last.apply(read) as Tf.Tensor;
      });
      this.keepMean(logits);
    });
    return features;
  }

  private bodyOf(member: BuiltModel): Tf.LayersModel {
    const { inputs, layers } = member.network;
    const made =
      this.bodies.get(member) ?? this.tf.model({ inputs, outputs: layers.at(-1)!.input as Tf.SymbolicTensor });
    this.bodies.set(member, made);
    return made;
  }

  loss(share = 1): void {
    const { tf, members } = this;
    this.share = share;
    const losses = new Float32Array(this.rows);
    this.gradients = members.map((member, m) => {
      const { masks } = this;
      // Each member draws masks of its own.
      member.masks = masks && ((layer) => masks(layer + m * MASKS_A_MEMBER));
      let gradients: (Float32Array | undefined)[] = [];
      try {
        // Nothing is returned from tidy(), which would search all elements of the returned value for tensors.
        tf.tidy(() => {
          const { grads } = tf.variableGrads(() => this.weightedLogits(member), [...member.weights]);
          gradients = member.weights.map(({ name }) => grads[name]?.dataSync() as Float32Array | undefined);
        });
      } finally {
        member.masks = undefined;
      }
      this.losses().forEach((loss, r) => {
        losses[r]! += loss / members.length;
      });
      return gradients;
    });
    this.losses().set(losses);
  }

  /**
   * Returns the sum of the logits times the loss's gradient at them. By the chain rule it has the same gradient as the
   * loss.
   */
  private weightedLogits(member: BuiltModel): Tf.Scalar {
    const { tf, kernel, model, rows, places, count } = this;
    const logits = member.network.apply(this.input(), { training: true }) as Tf.Tensor;
    this.keepLogits(logits);
    const loss = model.objective === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    kernel[loss](places.logits, places.bias, places.targets, places.weights, model.classes, rows, places.losses);
    const all = transposed(this.floats(places.logits, model.classes * rows), model.classes, rows);
    const gradient = all.subarray(0, count * model.classes);
    return tf.sum(tf.mul(logits, tf.tensor(gradient, [count, model.classes], 'float32')));
  }

  backward(gradientBuffer: number): boolean {
    const { model } = this;
    const to = this.cleared(gradientBuffer);
    let finite = true;
    for (const [m, gradients] of this.gradients.entries()) {
      const offsets = offsetsOf(model, m);
      gradients.forEach((gradient, w) => {
        if (!gradient) return; // nothing depends on this weight
        to.set(gradient, offsets[w]!);
        finite &&= areFinite(gradient);
      });
      finite = this.writeStatistics(this.members[m]!, to, offsets.slice(gradients.length)) && finite;
    }
    this.reached(gradientBuffer);
    return finite;
  }

  /**
   * Writes the shard's part of the difference between each moving average and the moments of the step's rows. The parts
   * of all shards sum to their mean. to: a gradient buffer.
   */
  private writeStatistics({ statistics }: BuiltModel, to: Float32Array, offsets: readonly number[]): boolean {
    const { parameters } = this.arena.regions;
    let finite = true;
    statistics.forEach(({ layer, moment }, s) => {
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

  /** Frees what TensorFlow holds for this batch. */
  dispose(): void {
    for (const input of this.inputs.values()) input.dispose();
    for (const { network } of this.members) network.dispose();
  }

  /** Returns the rows without padding, which would count in the statistics of batch normalisation. */
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

  /** Stores the logits. For several members these are the logarithm of their mean probabilities. */
  private keepMean(logits: readonly Tf.Tensor[]): void {
    const { tf } = this;
    if (logits.length === 1) {
      this.keepLogits(logits[0]!);
      return;
    }
    const sum = logits.map((each) => tf.softmax(each)).reduce((total, each) => tf.add(total, each));
    const mean = tf.div(sum, logits.length);
    this.keepLogits(tf.log(tf.maximum(mean, LEAST_PROBABILITY)));
  }

  /** Stores the logits as [classes, rows], which the kernel reads. */
  private keepLogits(logits: Tf.Tensor): void {
    const { classes } = this.model;
    const values = new Float32Array(this.rows * classes);
    values.set(logits.dataSync() as Float32Array);
    this.floats(this.places.logits, classes * this.rows).set(transposed(values, this.rows, classes));
    this.floats(this.places.bias, classes).fill(0);
  }
}
