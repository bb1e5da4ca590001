// Owns the narrow middle of a network whose wide layers are cut: what lies between the sums of the first pair and what the second reads.
// A thousandth of the work, so one thread does it for all slices.
import type { OptimizerStep } from '../protocol/tasks.js';
import type { Arena } from './arena.js';
import { RANDOM_CHUNK } from './buffers.js';
import { Dense, dropoutOf, type GradientPlace } from './dense.js';
import type { Kernel } from './kernel/kernel.js';
import { type Layer, layoutOf, type Model } from './model.js';
import { FINITE_BOUND, type MaskStream } from './network.js';
import { Segments } from './segments.js';
import type { Space } from './space.js';
import type { Matrix, Products } from './tensorflow.js';

/** Addresses in bytes. */
export interface MiddlePlaces {
  readonly journal: number;
  /** Of each narrow layer, the first pair's output first: activations and the gradient at its weighted inputs, [units, rows]. */
  readonly outputs: readonly number[];
  readonly gradients: readonly number[];
  /** The gradient of its parameters, which are one range of the parameter vector. */
  readonly parameters: number;
  /** Zeros, and scratch, a float a unit; a random state with its bits. */
  readonly noBias: number;
  readonly bias: number;
  readonly random: number;
}

/** The layers whose activations are the middle's: none in a model of one pair. */
export const narrowLayers = ({ layers }: Model): readonly Layer[] => layers.slice(1, -2);

/** Of the parameters of the middle: those of the first narrow layer are the first pair's. */
function rangeOf(model: Model): readonly [start: number, end: number] {
  const { places } = layoutOf(model);
  return [places[2]!.kernel, places.at(-2)!.kernel];
}

export function middlePlaces(space: Space, model: Model, rows: number, journal: number): MiddlePlaces {
  const layers = narrowLayers(model);
  const most = Math.max(0, ...layers.map(({ units }) => units));
  const [start, end] = layers.length === 0 ? [0, 0] : rangeOf(model);
  return {
    journal,
    outputs: layers.map(({ units }) => space.take(units * rows)),
    gradients: layers.map(({ units }) => space.take(units * rows)),
    parameters: space.take(end - start),
    noBias: space.take(most),
    bias: space.take(most),
    random: space.take(most === 0 ? 0 : 16 + Math.max(rows, RANDOM_CHUNK) / 2),
  };
}

export class Middle {
  private readonly layers: readonly Layer[];
  /** All narrow layers but the first, whose products are the slices'. */
  private readonly dense: readonly Dense[];
  private readonly gradientPlaces: readonly GradientPlace[];
  private readonly first: { readonly output: Matrix; readonly gradient: Matrix };
  private readonly outputBounds: number[] = [];

  constructor(
    private readonly products: Products,
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    private readonly model: Model,
    private readonly rows: number,
    private readonly places: MiddlePlaces,
  ) {
    this.layers = narrowLayers(model);
    const { parameters } = arena.regions;
    const { places: parts } = layoutOf(model);
    const [start] = rangeOf(model);
    const [{ units }] = this.layers as readonly [Layer];
    this.first = {
      output: products.matrix(places.outputs[0]!, units, rows),
      gradient: products.matrix(places.gradients[0]!, units, rows),
    };
    this.dense = this.layers.slice(1).map((layer, l) => {
      const { kernel: at, bias } = parts[l + 2]!;
      const own = { output: places.outputs[l + 1]!, gradient: places.gradients[l + 1]!, scratch: places.bias };
      return new Dense(
        products,
        kernel,
        layer,
        rows,
        { kernel: parameters + at * 4, bias: parameters + bias * 4, ...own },
        'f32',
      );
    });
    this.gradientPlaces = this.dense.map((dense, l) => {
      const { kernel: at, bias } = parts[l + 2]!;
      return dense.gradientPlace(places.parameters + (at - start) * 4, places.parameters + (bias - start) * 4);
    });
  }

  /** sums: the first pair's, [units, rows]. Returns what the second pair reads, [inputs, rows]; valid until the next call. */
  forward(sums: Float32Array, masks: MaskStream): Float32Array {
    const { kernel, places, rows } = this;
    const [{ units, dropout }] = this.layers as readonly [Layer];
    this.floats(places.outputs[0]!, sums.length).set(sums);
    this.floats(places.noBias, units).fill(0);
    const { keep, scale, random } = this.draw(dropout, 1, masks);
    this.outputBounds[0] = kernel.reluDropout(places.outputs[0]!, places.noBias, units, rows, keep, scale, random);
    let input = this.first.output;
    this.dense.forEach((dense, l) => {
      this.outputBounds[l + 1] = dense.forward(input, false, this.draw(dense.layer.dropout, l + 2, masks));
      input = dense.output;
    });
    return this.floats(places.outputs.at(-1)!, this.layers.at(-1)!.units * rows);
  }

  /** Not smaller than any element of what forward() returned. */
  get outputBound(): number {
    return this.outputBounds.at(-1)!;
  }

  /**
   * gradient: at what forward() returned. Returns that at the first pair's sums, valid until the next call, and the largest sum of its
   * absolute values over the rows of a unit. areFinite: whether all elements of the middle's own are.
   */
  backward(gradient: Float32Array): { gradient: Float32Array; largest: number; areFinite: boolean } {
    const { kernel, places, rows } = this;
    const [{ units, dropout }] = this.layers as readonly [Layer];
    const [start, end] = rangeOf(this.model);
    this.floats(places.gradients.at(-1)!, gradient.length).set(gradient);
    // What lies between the parts must not get into the parameters.
    this.floats(places.parameters, end - start).fill(0);
    let areFinite = true;
    for (let l = this.dense.length - 1; l >= 0; l--) {
      const dense = this.dense[l]!;
      const { scale } = dropoutOf(dense.layer.dropout, 0);
      const input = l === 0 ? this.first.output : this.dense[l - 1]!.output;
      const next = this.dense[l + 1];
      const to = this.gradientPlaces[l]!;
      const largest = next
        ? dense.backward(next, scale, input, false, to)
        : dense.backwardThrough(scale, input, false, to);
      areFinite &&= largest * this.outputBounds[l]! < FINITE_BOUND;
    }
    const [above] = this.dense;
    if (above) this.products.multiply(above.kernel, true, above.gradient!, false, this.first.gradient);
    const at = places.gradients[0]!;
    const largest = kernel.reluDropoutGradient(
      at,
      places.outputs[0]!,
      units,
      rows,
      dropoutOf(dropout, 0).scale,
      places.bias,
    );
    return { gradient: this.floats(at, units * rows), largest, areFinite };
  }

  /** Updates the parameters of the middle by the last gradient. update: a number that was not used before. */
  update(optimizer: OptimizerStep, update: number): void {
    const [start, end] = rangeOf(this.model);
    if (start === end) return;
    const { journal, parameters } = this.places;
    new Segments(this.kernel, this.arena, journal, optimizer, update).apply(start, end - start, parameters);
  }

  private draw(rate: number, layer: number, masks: MaskStream) {
    const { random } = this.places;
    if (rate > 0) new Uint32Array(this.arena.memory.buffer, random, 16).set(masks(layer));
    return dropoutOf(rate, random);
  }

  private floats(at: number, length: number): Float32Array {
    return new Float32Array(this.arena.memory.buffer, at, length);
  }
}
