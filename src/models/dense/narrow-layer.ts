// A narrow layer between the wide layers that are split. The main thread computes its passes over [units, rows], with
// the kernel's products alone.

import type { Kernel } from '../../engine/kernel/kernel.js';
import type { Dropout } from './layer.js';
import type { Layer } from './model.js';

/** Addresses in bytes. */
export interface NarrowDensePlace {
  readonly kernel: number;
  readonly bias: number;
  /** [units, rows], as is `gradient`. */
  readonly output: number;
  /** The gradient at the output before backward(), and at the weighted inputs after it. */
  readonly gradient: number;
  readonly kernelGradient: number;
  readonly biasGradient: number;
}

export class NarrowDense {
  constructor(
    private readonly pass: Kernel,
    readonly layer: Layer,
    private readonly rows: number,
    readonly place: NarrowDensePlace,
  ) {}

  /**
   * output = dropout(relu(kernel * input + bias)); input: [inputs, rows]. Returns a bound of the output before dropout.
   */
  forward(input: number, { keep, scale, random }: Dropout): number {
    const { pass, place, rows } = this;
    const { inputs, units } = this.layer;
    pass.narrowForward(input, inputs, rows, place.kernel, units, place.output);
    return pass.reluDropout(place.output, place.bias, units, rows, keep, scale, random);
  }

  /** Writes the gradient of the layer's parameters. Returns the largest sum of |dz| over a unit's rows. */
  backward(input: number, scale: number): number {
    const { pass, place, rows } = this;
    const { inputs, units } = this.layer;
    const { gradient, output, kernelGradient, biasGradient } = place;
    const largest = pass.reluDropoutGradient(gradient, output, units, rows, scale, biasGradient);
    pass.narrowKernelGradient(input, inputs, rows, gradient, units, kernelGradient);
    return largest;
  }

  /** Writes the gradient at the layer's input, to[inputs, rows] = kernel^T * dz. It is called after backward(). */
  inputGradient(to: number): void {
    const { pass, place, rows } = this;
    const { inputs, units } = this.layer;
    pass.narrowInputGradient(place.kernel, inputs, place.gradient, units, rows, to);
  }
}
