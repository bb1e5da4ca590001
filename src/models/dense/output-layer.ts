// The output layer of a tensor-parallel step, at the coordinator: predictions from logits, and the loss with its
// gradient. It needs no parameters. It has a memory of its own, because the labels of a step stay at the coordinator.

import type { Images } from '../../data/images.js';
import { type Kernel, loadKernel } from '../../engine/kernel/kernel.js';
import { PAGE, sharedMemory } from '../../engine/shared-memory.js';
import { Space } from '../../engine/space.js';
import type { Masses, Prediction } from '../../methods/method.js';
import type { TargetPlaces } from '../../methods/targets.js';
import { classify } from './classify.js';
import type { DenseModel } from './model.js';
import type { RowCounts } from './tensor-layout.js';

export interface Loss {
  /** The loss of each row, not weighted. */
  readonly losses: Float32Array;
  /** The gradient of sum_r weights[r] * loss[r] at the logits, [classes, rows]. It is valid until the next call. */
  readonly gradient: Float32Array;
  /** The largest sum of the gradient's absolute values over the rows of a class; NaN if the gradient has one. */
  readonly largest: number;
}

export class OutputLayer {
  private readonly memory: WebAssembly.Memory;
  private readonly kernel: Kernel;
  private readonly classes: number;
  private readonly places;

  constructor(
    private readonly model: DenseModel,
    private readonly counts: RowCounts,
  ) {
    const { rows, clean } = counts;
    this.classes = model.layers.at(-1)!.units;
    const most = Math.max(rows, clean);
    const space = new Space(PAGE);
    const pixels = model.objective === 'reconstruction' ? this.classes : 0;
    this.places = {
      logits: space.take(this.classes * most),
      noBias: space.take(this.classes),
      shift: space.take(this.classes),
      masses: space.take(4 * this.classes),
      targets: space.take(this.classes * rows),
      weights: space.take(rows),
      losses: space.take(rows),
      confidences: space.take(most),
      predicted: space.take(most / 2),
      sums: space.take(this.classes),
      images: space.take((pixels * rows) / 4),
      x: space.take(pixels * rows),
    };
    this.memory = sharedMemory(space.end, { what: 'the output layer', fix: 'use smaller batches' });
    this.kernel = loadKernel(this.memory);
  }

  /** Predicts the first `count` rows from logits [classes, counts.clean] (classify.ts). */
  predict(clean: Float32Array, count: number, logitShift: Float32Array | undefined, masses: Masses): Prediction {
    const { logits, noBias } = this.places;
    const rows = this.counts.clean;
    this.floats(logits, this.classes * rows).set(clean);
    const softmax = this.model.objective === 'softmax';
    const at = { ...this.places, bias: noBias, classes: this.classes, rows, softmax };
    return classify(this.kernel, this.memory, at, count, logitShift, masses);
  }

  /**
   * Returns where the targets and the weights of the next loss are written: [classes, counts.rows] and [counts.rows].
   */
  get goals(): TargetPlaces {
    const { rows } = this.counts;
    const { targets, weights } = this.places;
    return { targets: this.floats(targets, this.classes * rows), weights: this.floats(weights, rows) };
  }

  /** Makes the images at these positions the targets of a reconstruction. */
  aimAtImages(images: Images, drawn: Uint32Array): void {
    const { rows } = this.counts;
    const { images: bytes, x, targets } = this.places;
    const pixels = this.classes;
    images.gather(drawn, new Uint8Array(this.memory.buffer, bytes, drawn.length * pixels));
    this.kernel.loadRows(bytes, drawn.length, rows, pixels, x);
    this.kernel.transpose(x, rows, pixels, targets);
  }

  /** Computes the loss of the first `count` rows. sums: their logits, [classes, counts.rows]. */
  loss(sums: Float32Array, count: number): Loss {
    const { rows } = this.counts;
    const { noBias, losses, targets, weights } = this.places;
    const logits = this.floats(this.places.logits, this.classes * rows);
    logits.set(sums);
    const loss = this.model.objective === 'softmax' ? 'softmaxCrossEntropy' : 'sigmoidCrossEntropy';
    this.kernel[loss](this.places.logits, noBias, targets, weights, this.classes, rows, losses);
    const largest = this.kernel.biasGradient(this.places.logits, this.classes, rows, this.places.sums);
    return { losses: this.floats(losses, count).slice(), gradient: logits, largest };
  }

  private floats(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }
}
