// Owns the way from logits to predicted classes, with or without a shift that balances the classes (../balance.ts).

import type { Kernel } from '../../engine/kernel/kernel.js';
import type { Masses } from '../../engine/tasks.js';

/** Addresses in the kernel's memory, and sizes. */
export interface LogitsPlaces {
  /** [classes, rows], to which the bias is still to be added. */
  readonly logits: number;
  readonly bias: number;
  readonly classes: number;
  /** A multiple of 8. */
  readonly rows: number;
  readonly softmax: boolean;
  /** Where the results go: a byte and a float a row. */
  readonly predicted: number;
  readonly confidences: number;
  /** Scratch: a float a class; four floats a class. */
  readonly shift: number;
  readonly masses: number;
}

/**
 * Predicts all rows, from logits to which logitShift is added where it is given. Returns the sums over the first `count` rows of each
 * class's softmax, before the shift or after it; nothing without one.
 */
export function classify(
  kernel: Kernel,
  memory: WebAssembly.Memory,
  at: LogitsPlaces,
  count: number,
  logitShift: Float32Array | undefined,
  masses: Masses,
): number[] {
  const { logits, bias, classes, rows, softmax, predicted, confidences, shift, masses: sums } = at;
  if (!logitShift) {
    kernel.classify(logits, bias, classes, rows, Number(softmax), predicted, confidences);
    return [];
  }
  kernel.softmaxMasses(logits, bias, classes, rows, count, sums);
  // It has added the bias, and adds the shift where that counts as well.
  const added = new Float32Array(memory.buffer, shift, classes);
  added.set(logitShift);
  if (masses === 'shifted') {
    kernel.softmaxMasses(logits, shift, classes, rows, count, sums);
    added.fill(0);
  }
  kernel.classify(logits, shift, classes, rows, Number(softmax), predicted, confidences);
  const parts = new Float32Array(memory.buffer, sums, 4 * classes);
  return Array.from({ length: classes }, (_, c) =>
    parts.subarray(4 * c, 4 * c + 4).reduce((sum, part) => sum + part, 0),
  );
}
