// Predicts classes from logits, with or without a shift that holds the classes to shares (methods/class-balance.ts).

import type { Kernel } from '../../engine/kernel/kernel.js';
import { exponential } from '../../exponential.js';
import type { Masses, Prediction } from '../../methods/method.js';
import type { RunnersUp } from '../tasks.js';

/** Addresses in the kernel's memory, and sizes. */
export interface LogitsPlaces {
  /** [classes, rows], without the bias. */
  readonly logits: number;
  readonly bias: number;
  readonly classes: number;
  /** A multiple of 8. */
  readonly rows: number;
  readonly softmax: boolean;
  /** The addresses of the results: a u16 per row at `predicted`, a float per row at `confidences`. */
  readonly predicted: number;
  readonly confidences: number;
  /** Scratch: one float per class at `shift`, four floats per class at `masses`. */
  readonly shift: number;
  readonly masses: number;
}

/**
 * Predicts the first `count` rows from the logits. logitShift: added to the logits if given. masses: as in
 * UnlabelledRows.
 */
export function classify(
  kernel: Kernel,
  memory: WebAssembly.Memory,
  at: LogitsPlaces,
  count: number,
  logitShift: Float32Array | undefined,
  masses: Masses,
): Prediction {
  const { logits, bias, classes, rows, softmax, predicted, confidences, shift, masses: sums } = at;
  const added = new Float32Array(memory.buffer, shift, classes);
  if (logitShift) {
    kernel.softmaxMasses(logits, bias, classes, rows, count, sums);
    // The call above has added the bias. The next call adds the shift: softmaxMasses() if the masses include it, and
    // classify() otherwise.
    added.set(logitShift);
    if (masses === 'shifted') {
      kernel.softmaxMasses(logits, shift, classes, rows, count, sums);
      added.fill(0);
    }
  }
  kernel.classify(logits, logitShift ? shift : bias, classes, rows, Number(softmax), predicted, confidences);
  const parts = new Float32Array(memory.buffer, sums, 4 * classes);
  return {
    rows: count,
    classes: new Uint16Array(memory.buffer, predicted, count).slice(),
    confidences: new Float32Array(memory.buffer, confidences, count).slice(),
    classMasses: logitShift
      ? Array.from({ length: classes }, (_, c) => parts.subarray(4 * c, 4 * c + 4).reduce((sum, part) => sum + part, 0))
      : [],
    // The logits in memory have the bias and the shift that count.
    probabilities: (temperature) =>
      softmaxOf(new Float32Array(memory.buffer, logits, classes * rows), classes, count, temperature),
  };
}

/**
 * Finds the second likeliest classes of rows that classify() predicted, which has added the bias to the logits.
 * @param first what classify() predicted
 */
export function runnersUp(
  memory: WebAssembly.Memory,
  { logits, classes, rows, softmax }: Pick<LogitsPlaces, 'logits' | 'classes' | 'rows' | 'softmax'>,
  first: Pick<Prediction, 'classes' | 'confidences'>,
): RunnersUp {
  const values = new Float32Array(memory.buffer, logits, classes * rows);
  const count = first.classes.length;
  const second = { classes: new Uint16Array(count), confidences: new Float32Array(count) };
  for (let r = 0; r < count; r++) {
    const best = first.classes[r]!;
    let found = -1;
    for (let c = 0; c < classes; c++)
      if (c !== best && (found < 0 || values[c * rows + r]! > values[found * rows + r]!)) found = c;
    if (found < 0) continue; // a single class has no second
    const logit = values[found * rows + r]!;
    second.classes[r] = found;
    second.confidences[r] = softmax
      ? first.confidences[r]! * Math.exp(logit - values[best * rows + r]!)
      : 1 / (1 + Math.exp(-logit));
  }
  return second;
}

/** Returns softmax(logits / temperature), [classes, count], of logits [classes, rows]. */
function softmaxOf(logits: Float32Array, classes: number, count: number, temperature: number): Float32Array {
  const rows = logits.length / classes;
  const result = new Float32Array(classes * count);
  for (let r = 0; r < count; r++) {
    const values = Array.from({ length: classes }, (_, c) => logits[c * rows + r]! / temperature);
    const largest = Math.max(...values);
    const powers = values.map((value) => exponential(value - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    for (const [c, power] of powers.entries()) result[c * count + r] = power / total;
  }
  return result;
}
