// A batch of rows for a network of layers, in one workspace: its inputs, targets and predictions. TensorFlow's passes
// and those of chains share it.
import { gradientStride, workspaceStart } from '../../engine/arena.js';
import { GradientProgress } from '../../engine/gradient-progress.js';
import type { Masses, Prediction } from '../../methods/method.js';
import { classify, runnersUp } from '../dense/classify.js';
import { ImageRows } from '../image-rows.js';
import type { Hardware } from '../kind.js';
import type { RunnersUp } from '../tasks.js';
import { type LayersModel, parametersOf, sizeOf } from './model.js';
import { type Places, placesOf } from './workspace.js';

/** The most layers of dropout in a member. Each member draws masks of its own. */
export const MASKS_A_MEMBER = 1000;

/** The least probability of a class, so that its logarithm is finite. */
export const LEAST_PROBABILITY = 1e-30;

export class LayersBatch extends ImageRows {
  protected readonly places: Places;
  private readonly progress: GradientProgress;

  /** rows: a multiple of 8. */
  constructor(
    hardware: Hardware,
    protected readonly model: LayersModel,
    rows: number,
    of: { readonly workspace: number; readonly training: boolean },
  ) {
    const places = placesOf(model, rows, of.training, workspaceStart(hardware.arena, of.workspace));
    super(hardware, rows, sizeOf(model.inputShape), places);
    this.places = places;
    this.progress = new GradientProgress(hardware.arena);
  }

  keepAsTargets(): void {
    throw new RangeError('a network of layers trains no reconstruction');
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

  /** Returns the losses of the rows, not weighted. */
  losses(): Float32Array {
    return this.floats(this.places.losses, this.rows);
  }

  /** Returns a gradient buffer for all parameters, filled with 0. */
  protected cleared(gradientBuffer: number): Float32Array {
    const { arena, model } = this;
    const start = arena.regions.gradientBuffers + gradientBuffer * gradientStride(arena.shape);
    return this.floats(start, parametersOf(model)).fill(0);
  }

  /** Reports that the whole gradient has been written. */
  protected reached(gradientBuffer: number): void {
    this.progress.reached(gradientBuffer, parametersOf(this.model));
  }

  protected floats(address: number, length: number): Float32Array {
    return new Float32Array(this.arena.memory.buffer, address, length);
  }
}

/** Returns whether all values are finite. The sum of the values times 0 is 0 unless one of them is infinite or NaN. */
export function areFinite(values: Float32Array): boolean {
  let odd = 0;
  for (let i = 0; i < values.length; i++) odd += values[i]! * 0;
  return odd === 0;
}

/** Transposes [rows, columns] to [columns, rows]. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c]!;
  return result;
}
