// Which training images keep their labels, which are used without, and which are held back to validate.
import { PseudolabelError } from '../errors.js';
import { keyOf, Stream } from '../random.js';

export interface SplitOptions {
  /** How many labelled images of each class. */
  readonly perClass: number;
  /** 'first': the first of each class in file order (the report's split_by_label); 'random': drawn by `splitSeed`. */
  readonly kind: 'first' | 'random';
  readonly splitSeed: number;
  /** How many images to hold back, drawn by `splitSeed` from those that are not labelled. */
  readonly validation: number;
}

/** Rows of the training set, each list in ascending order. */
export interface Split {
  /** perClass of each class. */
  readonly labelled: Uint32Array;
  /** All but the validation images: the labelled ones are here too, without their labels, as in the paper and the report. */
  readonly unlabelled: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * @param labels [count], the training labels
 * @throws PseudolabelError E_SPLIT_TOO_FEW
 */
export function splitLabelled(labels: Uint8Array, options: SplitOptions): Split {
  const { perClass, kind, splitSeed, validation } = options;
  const rows = Uint32Array.from(labels, (_, row) => row);
  const shuffled = (purpose: 'split' | 'validation') => new Stream(keyOf(splitSeed, purpose)).permutation(rows.length);

  const labelled = takePerClass(labels, kind === 'first' ? rows : shuffled('split'), perClass);
  const isLabelled = new Set(labelled);
  const others = shuffled('validation').filter((row) => !isLabelled.has(row));
  if (validation > others.length) {
    throw new PseudolabelError(
      'E_SPLIT_TOO_FEW',
      `There are ${others.length} training images besides the ${labelled.length} labelled ones, too few for ${validation} validation images`,
      'Ask for fewer validation images or fewer labels per class.',
    );
  }
  const held = others.subarray(0, validation).sort();
  const isHeld = new Set(held);
  return { labelled, unlabelled: rows.filter((row) => !isHeld.has(row)), validation: held };
}

/** The first `perClass` rows of each class in the given order of rows, returned in ascending order. */
function takePerClass(labels: Uint8Array, order: Uint32Array, perClass: number): Uint32Array {
  const taken = new Uint32Array(labels.reduce((largest, label) => Math.max(largest, label), 0) + 1);
  const rows = order.filter((row) => {
    const label = labels[row]!;
    if (taken[label] === perClass) return false;
    taken[label]! += 1;
    return true;
  });
  const short = taken.findIndex((count) => count < perClass);
  if (short >= 0) {
    throw new PseudolabelError(
      'E_SPLIT_TOO_FEW',
      `Class ${short} has ${taken[short]} training images, too few for ${perClass} labels per class`,
      'Ask for fewer labels per class.',
    );
  }
  return rows.sort();
}
