// A batch of rows for a network of layers, in one workspace: its inputs, targets and predictions. TensorFlow's passes
// and those of chains share it.
import type { Images } from '../../data/images.js';
import { type Arena, gradientStride, workspaceStart } from '../../engine/arena.js';
import { GradientProgress } from '../../engine/gradient-progress.js';
import type { Masses, Prediction } from '../../methods/method.js';
import { classify, runnersUp } from '../dense/classify.js';
import type { Hardware } from '../kind.js';
import type { RunnersUp } from '../tasks.js';
import { type LayersModel, parametersOf, sizeOf } from './model.js';
import { type Places, placesOf } from './workspace.js';

/** The most layers of dropout in a member. Each member draws masks of its own. */
export const MASKS_A_MEMBER = 1000;

/** The least probability of a class, so that its logarithm is finite. */
export const LEAST_PROBABILITY = 1e-30;

export class LayersBatch {
  protected readonly arena: Arena;
  protected readonly kernel: Hardware['kernel'];
  protected readonly places: Places;
  /** The number of rows in the workspace that are not padding. */
  protected count = 0;
  protected readonly pixels: number;
  private readonly progress: GradientProgress;

  /** rows: a multiple of 8. */
  constructor(
    { kernel, arena }: Hardware,
    protected readonly model: LayersModel,
    protected readonly rows: number,
    of: { readonly workspace: number; readonly training: boolean },
  ) {
    this.arena = arena;
    this.kernel = kernel;
    this.pixels = sizeOf(model.inputShape);
    this.places = placesOf(model, rows, of.training, workspaceStart(arena, of.workspace));
    this.progress = new GradientProgress(arena);
  }

  loadBytes(images: Uint8Array, first = 0): void {
    if (images.length === 0) return;
    this.bytes(images.length).set(images);
    this.loadCopied(images.length / this.pixels, first);
  }

  load(images: Images, positions: ArrayLike<number>, first: number): void {
    images.gather(positions, this.bytes(positions.length * this.pixels));
    this.loadCopied(positions.length, first);
  }

  /** Turns the bytes of this many rows into floats, and sets the rows behind them to zero. */
  private loadCopied(count: number, first: number): void {
    const { x, bytes } = this.places;
    const to = x + first * this.pixels * 4;
    this.count = first + count;
    this.kernel.loadRows(bytes, count, this.rows - first, this.pixels, to);
  }

  private bytes(length: number): Uint8Array {
    return new Uint8Array(this.arena.memory.buffer, this.places.bytes, length);
  }

  keepAsTargets(): void {
    throw new RangeError('a network of layers trains no reconstruction');
  }

  addNoise(sigma: number, state: Uint32Array): void {
    const { x, random } = this.places;
    new Uint32Array(this.arena.memory.buffer, random, 16).set(state);
    this.kernel.addNoise(x, this.rows * this.pixels, sigma, this.arena.regions.normals, random);
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
