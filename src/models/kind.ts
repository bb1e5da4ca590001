// What a kind of network has to offer. Everything outside of its folder knows no more of it.
import type { Images } from '../data/images.js';
import type { Arena } from '../engine/arena.js';
import type { Kernel } from '../engine/kernel/kernel.js';
import type { Products } from '../engine/products.js';
import type { Masses, Prediction } from '../methods/method.js';
import type { RunnersUp } from './tasks.js';

/** The random state (16 words) that a layer's dropout mask is drawn from; layer -1 is the input. */
export type MaskStream = (layer: number) => Uint32Array;

/** What a pass of a network needs of its thread. */
export interface Hardware {
  readonly products: Products;
  readonly kernel: Kernel;
  readonly arena: Arena;
}

/** The passes of a network over a batch of so many rows, in one workspace of an arena. It knows nothing of shards, methods or schedules. */
export interface Passes {
  /** Loads rows whose bytes are given, from row `first` on (0), and zeros behind them. */
  loadBytes(images: Uint8Array, first?: number): void;
  /** Loads rows from row `first` on, and zeros behind them. positions: each row's image. */
  load(images: Images, positions: ArrayLike<number>, first: number): void;
  /** The inputs as they are now are the targets of a reconstruction. */
  keepAsTargets(): void;
  /** x = clip(x + sigma N(0, 1), 0, 1) */
  addNoise(sigma: number, state: Uint32Array): void;
  /** To the logits. masks: undefined for a pass without dropout. */
  forward(masks: MaskStream | undefined): void;
  /** A forward pass without dropout. Returns what the last dense layer reads of the first `count` rows, [count, features]. */
  features(count: number): Float32Array;
  /** Predicts the first `count` rows from the logits of the last forward pass. */
  classify(count: number, logitShift?: Float32Array, masses?: Masses): Prediction;
  /** The second likeliest classes of the rows that classify() has just predicted. */
  runnersUp(first: Prediction): RunnersUp;
  /** [classes, rows] and [rows], to be set before loss(). */
  targets(): Float32Array;
  weights(): Float32Array;
  /**
   * Makes the logits the gradient of sum_r weights[r] * loss[r].
   * @param share of the step's rows that these are, for statistics which are means over all of them
   */
  loss(share?: number): void;
  /** Of the rows, not weighted. */
  losses(): Float32Array;
  /** Writes the gradient of all parameters to a gradient buffer. Returns false where an element may not be finite. */
  backward(gradientBuffer: number): boolean;
}

export interface PassOptions {
  readonly workspace: number;
  readonly training: boolean;
  /** What prepare() has made. */
  readonly prepared: unknown;
}

/** A kind of network. All sizes are in floats unless they say bytes. */
export interface ModelKind<M> {
  /** Elements of an image, and outputs: classes, or the pixels of a reconstruction. */
  inputs(model: M): number;
  outputs(model: M): number;
  /** Length of the parameter vector. */
  parameterCount(model: M): number;
  /** Where the parameters end that the optimizer changes, and statistics begin. Left out: at their end. */
  statisticsStart?(model: M): number;
  /** How many values the last dense layer reads: of each of its parts, where it is made of several networks. Throws E_MODEL where there is none. */
  featureWidths(model: M): readonly number[];
  /** Where the parameters end that another stage may start from (`start: 'first-layer'`). */
  firstLayerEnd(model: M): number;
  /** The same for the same seed and stage. */
  initialise(model: M, seed: number, stage: number): Float32Array;
  /** Bytes of the workspace of a batch. */
  workspaceBytes(model: M, rows: number, training: boolean): number;
  /** Whether TensorFlow computes it, whose bits depend on the processor. Left out: no. */
  needsTensorFlow?(model: M): boolean;
  /** Where TensorFlow computes it, what the passes of a model in an arena share; once in each thread. */
  prepare?(model: M, arena: Arena): Promise<unknown>;
  /** Where TensorFlow computes it, to be called, and awaited, in the main thread before others pass the model for the first time. */
  beforeThreads?(model: M): Promise<void>;
  /** rows: a multiple of 8. */
  passes(model: M, rows: number, hardware: Hardware, of: PassOptions): Passes;
}

/** Rows are padded to a multiple of it: the kernel's passes take eight floats at a time. */
const ROW_GROUP = 8;
export const paddedRows = (rows: number): number => Math.ceil(rows / ROW_GROUP) * ROW_GROUP;
