// Where the gradient of each layer goes in a shard's gradient buffer. Nothing else is left there.
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

  /** Of each layer. Clears what lies between them. */
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

  /** The optimizer takes the whole vector: what a model of other sizes left between the parts must not get into the parameters. */
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
