// Lays out the matrices of a batch in a workspace, the scratch memory of one task.
import { type Lists, listRoom } from '../../engine/products.js';
import { Space } from '../../engine/space.js';
import { TILE_UNITS } from './layer.js';
import type { DenseModel } from './model.js';

/** The floats for which the kernel draws random bits at a time, 16 bits each (kernel/assembly/rows.ts). */
export const RANDOM_CHUNK = 1024;

/** Addresses in bytes. Matrices of a layer are units-major, [units, rows]. */
export interface Workspace {
  /** The inputs [rows, pixels]. */
  readonly x: number;
  /**
   * The lists of the non-zeros of the inputs, and scratch for those of gradients. gradientLists and the lists by input
   * are empty if nothing is trained.
   */
  readonly lists: Lists;
  readonly gradientLists: number;
  /** The output of each layer. That of the last layer holds its logits, then the gradient at them. */
  readonly outputs: readonly number[];
  /** The output of the last layer. */
  readonly logits: number;
  /**
   * The gradient at each layer's weighted inputs. That of the last layer is its output. Empty if nothing is trained.
   */
  readonly gradients: readonly number[];
  /** [units of the last layer, rows]. */
  readonly targets: number;
  /** One float per row. */
  readonly weights: number;
  readonly losses: number;
  readonly confidences: number;
  /** One float per class at `shift`, four per class at `masses`. */
  readonly shift: number;
  readonly masses: number;
  /** A u16 per row. */
  readonly classes: number;
  /** The images of rows that are being loaded, as bytes. */
  readonly images: number;
  /** The state of a random stream, 64 bytes, and behind it room for the bits that the kernel draws at a time. */
  readonly random: number;
  readonly end: number;
}

/**
 * Lays out a workspace. rows: a multiple of 8. training: false leaves out what only a backward pass needs. start: a
 * multiple of 64.
 */
export function workspaceOf(model: DenseModel, rows: number, training: boolean, start = 0): Workspace {
  const space = new Space(start);
  const take = (floats: number): number => space.take(floats);
  const pixels = model.layers[0]!.inputs;
  const classes = model.layers.at(-1)!.units;
  const x = take(rows * pixels);
  const takeLists = (n: number, k: number): number => take(listRoom(n, k) / 4);
  const lists = {
    byRow: takeLists(rows, pixels),
    byInput: training ? takeLists(pixels, rows) : 0,
  };
  const largest = Math.max(...model.layers.map(({ units }) => units));
  const gradientLists = training ? takeLists(Math.min(largest, TILE_UNITS), rows) : 0;
  const outputs = model.layers.map(({ units }) => take(units * rows));
  const hidden = training ? model.layers.slice(0, -1).map(({ units }) => take(units * rows)) : [];
  return {
    x,
    lists,
    gradientLists,
    outputs,
    logits: outputs.at(-1)!,
    gradients: training ? [...hidden, outputs.at(-1)!] : [],
    targets: take(training ? classes * rows : 0),
    weights: take(rows),
    losses: take(rows),
    confidences: take(rows),
    shift: take(classes),
    masses: take(4 * classes),
    classes: take(rows / 2),
    images: take((rows * pixels) / 4),
    random: take(16 + Math.max(rows, RANDOM_CHUNK) / 2),
    end: space.end,
  };
}
