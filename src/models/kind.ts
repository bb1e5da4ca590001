// The interface of a kind of network. Code outside of the kind's folder uses nothing else of it.
import type { Images } from '../data/images.js';
import type { Arena } from '../engine/arena.js';
import type { Kernel } from '../engine/kernel/kernel.js';
import type { Products } from '../engine/products.js';
import type { Masses, Prediction } from '../methods/method.js';
import type { RunnersUp } from './tasks.js';

/** Returns the random state (16 words) that a layer's dropout mask is drawn from. Layer -1 is the input. */
export type MaskStream = (layer: number) => Uint32Array;

/** What a pass of a network needs from its thread. */
export interface Hardware {
  readonly products: Products;
  readonly kernel: Kernel;
  readonly arena: Arena;
}

/**
 * The passes of a network over a batch of a fixed number of rows, in one workspace of an arena. They know nothing of
 * shards, methods or schedules.
 */
export interface Passes {
  /** Loads rows from their bytes, from row `first` on (defaults to 0), and zeros behind them. */
  loadBytes(images: Uint8Array, first?: number): void;
  /** Loads rows from row `first` on, and zeros behind them. positions: the image of each row. */
  load(images: Images, positions: ArrayLike<number>, first: number): void;
  /** Makes the current inputs the targets of a reconstruction. */
  keepAsTargets(): void;
  /** x = clip(x + sigma N(0, 1), 0, 1) */
  addNoise(sigma: number, state: Uint32Array): void;
  /** Runs the forward pass to the logits. masks: undefined for a pass without dropout. */
  forward(masks: MaskStream | undefined): void;
  /**
   * Runs a forward pass without dropout. Returns the input of the last dense layer for the first `count` rows, [count,
   * features].
   */
  features(count: number): Float32Array;
  /** Predicts the first `count` rows from the logits of the last forward pass. */
  classify(count: number, logitShift?: Float32Array, masses?: Masses): Prediction;
  /** Returns the second likeliest classes of the rows that classify() has just predicted. */
  runnersUp(first: Prediction): RunnersUp;
  /** Return the targets [classes, rows] and the weights [rows], which are set before loss(). */
  targets(): Float32Array;
  weights(): Float32Array;
  /**
   * Replaces the logits by the gradient of sum_r weights[r] * loss[r].
   * @param share the part of the step's rows that this batch has, for statistics that are means over all rows
   */
  loss(share?: number): void;
  /** Returns the losses of the rows, not weighted. */
  losses(): Float32Array;
  /** Writes the gradient of all parameters to a gradient buffer. Returns false if an element may not be finite. */
  backward(gradientBuffer: number): boolean;
}

export interface PassOptions {
  readonly workspace: number;
  readonly training: boolean;
  /** The result of prepare(). */
  readonly prepared: unknown;
}

/** A kind of network. All sizes are in floats unless they say bytes. */
export interface ModelKind<M> {
  /** Return the elements of an image, and the outputs: classes, or the pixels of a reconstruction. */
  inputs(model: M): number;
  outputs(model: M): number;
  /** Returns the length of the parameter vector. */
  parameterCount(model: M): number;
  /**
   * Returns where the statistics begin, behind the parameters that the optimizer changes. Defaults to the end of the
   * vector.
   */
  statisticsStart?(model: M): number;
  /**
   * Returns the number of inputs of the last dense layer, one for each network that the model consists of. Throws
   * E_MODEL if there is no such layer.
   */
  featureWidths(model: M): readonly number[];
  /** Returns the end of the parameters that another stage may start from (`start: 'first-layer'`). */
  firstLayerEnd(model: M): number;
  /** Draws the initial parameters, which are the same for the same seed and stage. */
  initialise(model: M, seed: number, stage: number): Float32Array;
  /** Returns the bytes of the workspace of a batch. */
  workspaceBytes(model: M, rows: number, training: boolean): number;
  /** Returns whether TensorFlow computes the network, so that its bits depend on the processor. Defaults to false. */
  needsTensorFlow?(model: M): boolean;
  /**
   * Prepares what the passes of a model in an arena share, once in each thread. Only networks that TensorFlow computes
   * need it.
   */
  prepare?(model: M, arena: Arena): Promise<unknown>;
  /**
   * Is called and awaited in the main thread before other threads run the model for the first time. Only networks that
   * TensorFlow computes need it.
   */
  beforeThreads?(model: M): Promise<void>;
  /** Makes the passes. rows: a multiple of 8. */
  passes(model: M, rows: number, hardware: Hardware, of: PassOptions): Passes;
}

/** Rows are padded to a multiple of this, because the kernel's passes take eight floats at a time. */
const ROW_GROUP = 8;
export const paddedRows = (rows: number): number => Math.ceil(rows / ROW_GROUP) * ROW_GROUP;
