// Finds the place of each layer's gradient in a shard's gradient buffer, and clears the rest of the buffer.
import { type Arena, gradientStride } from '../../engine/arena.js';
import type { Dense, GradientPlace } from './layer.js';
import type { DenseModel } from './model.js';
import { addressesIn, layoutOf } from './model.js';

export class GradientBuffers {
  private readonly known = new Map<number, readonly GradientPlace[]>();

  constructor(
    private readonly arena: Arena,
    private readonly model: DenseModel,
    private readonly layers: readonly Dense[],
  ) {}

  /** Returns the place of each layer's gradient. Sets the padding between them to 0. */
  begin(gradientBuffer: number): readonly GradientPlace[] {
    const start = this.arena.regions.gradientBuffers + gradientBuffer * gradientStride(this.arena.shape);
    this.clearPadding(start);
    let places = this.known.get(gradientBuffer);
    if (!places) {
      places = this.layers.map((dense, l) => {
        const { kernel, bias } = addressesIn(start, this.model, l);
        return dense.gradientPlace(kernel, bias);
      });
      this.known.set(gradientBuffer, places);
    }
    return places;
  }

  /**
   * Sets the padding to 0. The optimizer takes the whole vector, and what a model of other sizes has left there must
   * not get into the parameters.
   */
  private clearPadding(start: number): void {
    const { places, length } = layoutOf(this.model);
    const gradient = new Float32Array(this.arena.memory.buffer, start, length);
    this.model.layers.forEach(({ inputs, units }, l) => {
      const { kernel, bias } = places[l]!;
      gradient.fill(0, kernel + inputs * units, bias);
      gradient.fill(0, bias + units, places[l + 1]?.kernel ?? length);
    });
  }
}
