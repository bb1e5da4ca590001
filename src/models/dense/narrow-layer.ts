// A narrow layer between the wide ones that are cut: its passes over [units, rows], by the kernel's products alone. The main thread
// computes it.

import type { Kernel } from '../../engine/kernel/kernel.js';
import type { Dropout } from './layer.js';
import type { Layer } from './model.js';

/** Addresses in bytes. */
export interface NarrowDensePlace {
  readonly kernel: number;
  readonly bias: number;
  /** [units, rows], as is `gradient`. */
  readonly output: number;
  /** At its output before backward(), at its weighted inputs after. */
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

  /** output = dropout(relu(kernel * input + bias)); input: [inputs, rows]. Returns a bound of what it was before dropout. */
  forward(input: number, { keep, scale, random }: Dropout): number {
    const { pass, place, rows } = this;
    const { inputs, units } = this.layer;
    pass.narrowForward(input, inputs, rows, place.kernel, units, place.output);
    return pass.reluDropout(place.output, place.bias, units, rows, keep, scale, random);
  }

  /** Writes the gradient of its parameters. Returns the largest sum of |dz| over a unit's rows. */
  backward(input: number, scale: number): number {
    const { pass, place, rows } = this;
    const { inputs, units } = this.layer;
    const { gradient, output, kernelGradient, biasGradient } = place;
    const largest = pass.reluDropoutGradient(gradient, output, units, rows, scale, biasGradient);
    pass.narrowKernelGradient(input, inputs, rows, gradient, units, kernelGradient);
    return largest;
  }

  /** The gradient at its input, after backward(): to[inputs, rows] = kernel^T * dz. */
  inputGradient(to: number): void {
    const { pass, place, rows } = this;
    const { inputs, units } = this.layer;
    pass.narrowInputGradient(place.kernel, inputs, place.gradient, units, rows, to);
  }
}
