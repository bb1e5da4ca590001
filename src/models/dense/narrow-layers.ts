// The narrow layers between the two blocks of a network whose wide layers are split. They are a thousandth of the work,
// so that one thread computes them for all tensor shards.

import type { Arena } from '../../engine/arena.js';
import type { Kernel } from '../../engine/kernel/kernel.js';
import type { OptimizerStep } from '../../engine/optimizer.js';
import type { Space } from '../../engine/space.js';
import type { MaskStream } from '../kind.js';
import { dropoutOf } from './layer.js';
import type { DenseModel } from './model.js';
import { type Layer, layoutOf } from './model.js';
import { NarrowDense } from './narrow-layer.js';
import { FINITE_BOUND } from './network.js';
import { SegmentedUpdate } from './tensor-update.js';
import { RANDOM_CHUNK } from './workspace.js';

/** Addresses in bytes. */
export interface NarrowLayersPlaces {
  readonly updateLog: number;
  /**
   * For each narrow layer, from the first block's output on: its activations, and the gradient at its weighted inputs,
   * [units, rows].
   */
  readonly outputs: readonly number[];
  readonly gradients: readonly number[];
  /** The gradient of the layers' parameters, which are one range of the parameter vector. */
  readonly parameters: number;
  /** noBias: zeros. bias: scratch, one float per unit. random: a random state with its bits. */
  readonly noBias: number;
  readonly bias: number;
  readonly random: number;
}

/** Returns the layers whose activations the narrow layers compute: none in a model of one block. */
export const narrowLayers = ({ layers }: DenseModel): readonly Layer[] => layers.slice(1, -2);

/**
 * Returns the range of the narrow layers' parameters. The parameters of the first narrow layer belong to the first
 * block.
 */
function rangeOf(model: DenseModel): readonly [start: number, end: number] {
  const { places } = layoutOf(model);
  return [places[2]!.kernel, places.at(-2)!.kernel];
}

export function narrowLayersPlaces(
  space: Space,
  model: DenseModel,
  rows: number,
  updateLog: number,
): NarrowLayersPlaces {
  const layers = narrowLayers(model);
  const most = Math.max(0, ...layers.map(({ units }) => units));
  const [start, end] = layers.length === 0 ? [0, 0] : rangeOf(model);
  return {
    updateLog,
    outputs: layers.map(({ units }) => space.take(units * rows)),
    gradients: layers.map(({ units }) => space.take(units * rows)),
    parameters: space.take(end - start),
    noBias: space.take(most),
    bias: space.take(most),
    random: space.take(most === 0 ? 0 : 16 + Math.max(rows, RANDOM_CHUNK) / 2),
  };
}

export class NarrowLayers {
  private readonly first: Layer;
  /** All narrow layers except the first, whose products the tensor shards compute. */
  private readonly above: readonly NarrowDense[];
  private readonly outputBounds: number[] = [];

  constructor(
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    private readonly model: DenseModel,
    private readonly rows: number,
    private readonly places: NarrowLayersPlaces,
  ) {
    const [first, ...above] = narrowLayers(model) as [Layer, ...Layer[]];
    const { places: parts } = layoutOf(model);
    const { parameters } = arena.regions;
    const [start] = rangeOf(model);
    this.first = first;
    this.above = above.map((layer, l) => {
      const { kernel: at, bias } = parts[l + 2]!;
      return new NarrowDense(kernel, layer, rows, {
        kernel: parameters + at * 4,
        bias: parameters + bias * 4,
        output: places.outputs[l + 1]!,
        gradient: places.gradients[l + 1]!,
        kernelGradient: places.parameters + (at - start) * 4,
        biasGradient: places.parameters + (bias - start) * 4,
      });
    });
  }

  /**
   * Runs the forward pass. sums: the first block's, [units, rows]. Returns the second block's input, [inputs, rows],
   * which is valid until the next call.
   */
  forward(sums: Float32Array, masks: MaskStream): Float32Array {
    const { kernel, places, rows, outputBounds } = this;
    const { units, dropout } = this.first;
    const [output] = places.outputs as [number];
    this.floats(output, sums.length).set(sums);
    this.floats(places.noBias, units).fill(0);
    const { keep, scale, random } = this.draw(dropout, 1, masks);
    outputBounds[0] = kernel.reluDropout(output, places.noBias, units, rows, keep, scale, random);
    this.above.forEach((narrow, l) => {
      const drawn = this.draw(narrow.layer.dropout, l + 2, masks);
      outputBounds[l + 1] = narrow.forward(places.outputs[l]!, drawn);
    });
    return this.floats(places.outputs.at(-1)!, (this.above.at(-1)?.layer ?? this.first).units * rows);
  }

  /** A bound that no element that forward() returned exceeds. */
  get outputBound(): number {
    return this.outputBounds.at(-1)!;
  }

  /**
   * Runs the backward pass. gradient: at what forward() returned.
   * Returns the gradient at the first block's sums, which is valid until the next call, and the largest sum of its
   * absolute values over the rows of a unit. areFinite: whether all elements of these layers' own gradient are finite.
   */
  backward(gradient: Float32Array): { gradient: Float32Array; largest: number; areFinite: boolean } {
    const { kernel, places, rows } = this;
    const { units, dropout } = this.first;
    const [start, end] = rangeOf(this.model);
    this.floats(places.gradients.at(-1)!, gradient.length).set(gradient);
    // The padding is set to 0, because it must not get into the parameters.
    this.floats(places.parameters, end - start).fill(0);
    let areFinite = true;
    for (const [l, narrow] of [...this.above.entries()].reverse()) {
      const { scale } = dropoutOf(narrow.layer.dropout, 0);
      const largest = narrow.backward(places.outputs[l]!, scale);
      areFinite &&= largest * this.outputBounds[l]! < FINITE_BOUND;
      narrow.inputGradient(places.gradients[l]!);
    }
    const [at] = places.gradients as [number];
    const { scale } = dropoutOf(dropout, 0);
    const largest = kernel.reluDropoutGradient(at, places.outputs[0]!, units, rows, scale, places.bias);
    return { gradient: this.floats(at, units * rows), largest, areFinite };
  }

  /** Updates the parameters of the narrow layers by the last gradient. update: a number that was not used before. */
  update(optimizer: OptimizerStep, update: number): void {
    const [start, end] = rangeOf(this.model);
    if (start === end) return;
    const { updateLog, parameters } = this.places;
    new SegmentedUpdate(this.kernel, this.arena, updateLog, optimizer, update).apply(start, end - start, parameters);
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
