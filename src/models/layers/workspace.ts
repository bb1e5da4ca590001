// Lays out the rows of a batch in a workspace. Activations are in TensorFlow's own memory.
import { Space } from '../../engine/space.js';
import { type LayersModel, sizeOf } from './model.js';

/** Addresses in bytes, each a multiple of 64. Matrices are [classes, rows]. */
export interface Places {
  /** Floats [rows, pixels]. */
  readonly x: number;
  readonly logits: number;
  /** One float per class, all 0, because the logits include their biases. */
  readonly bias: number;
  readonly targets: number;
  /** One float per row. */
  readonly weights: number;
  readonly losses: number;
  readonly confidences: number;
  /** Two bytes per row. */
  readonly predicted: number;
  /** Scratch: one float per class at `shift`, four floats per class at `masses`. */
  readonly shift: number;
  readonly masses: number;
  /** The bytes of the rows' images. */
  readonly images: number;
  /** The state of a random stream, and the bits that are drawn from it. */
  readonly random: number;
  readonly end: number;
}

/** The bytes behind the state of a stream for the bits that the kernel draws at a time (kernel/assembly/rows.ts). */
const DRAWN_BYTES = 2048;

export function placesOf({ inputShape, classes }: LayersModel, rows: number, training: boolean, start = 0): Places {
  const space = new Space(start);
  const take = (bytes: number): number => space.take(bytes / 4);
  const pixels = sizeOf(inputShape);
  return {
    x: take(4 * rows * pixels),
    logits: take(4 * classes * rows),
    bias: take(4 * classes),
    targets: take(training ? 4 * classes * rows : 0),
    weights: take(4 * rows),
    losses: take(4 * rows),
    confidences: take(4 * rows),
    predicted: take(2 * rows),
    shift: take(4 * classes),
    masses: take(16 * classes),
    images: take(rows * pixels),
    random: take(64 + DRAWN_BYTES),
    end: space.end,
  };
}
