// Splits the training images: which of them keep their labels, which are used without, and which are held out for
// validation.
import { PseudolabelError } from '../errors.js';
import { keyOf, Stream } from '../random.js';
import { type Dataset, type ImageSet, knownCount, UNKNOWN } from './dataset.js';

export interface SplitOptions {
  /** The labelled images of each class. 'all': every image whose class is known, except for those held out. */
  readonly perClass: number | 'all';
  /** 'first': the first of each class in file order (the report's split_by_label). 'random': drawn by `splitSeed`. */
  readonly kind: 'first' | 'random';
  readonly splitSeed: number;
  /**
   * The images to hold out, drawn by `splitSeed` from those that have a label. If perClass is a number, they are drawn
   * from those that are not in the labelled set. If it is 'all', they are drawn from those that would be, of each class
   * in proportion, so that each class keeps a labelled image.
   */
  readonly validation: number;
}

/** Rows of the training set. Each list is in ascending order. */
export interface Split {
  /** perClass of each class, or all that are known and not held out. */
  readonly labelled: Uint32Array;
  /**
   * All images except the validation images. The labelled ones are here too, without their labels, as in the paper and
   * the report.
   */
  readonly unlabelled: Uint32Array;
  readonly validation: Uint32Array;
}

type Labelled = Pick<Dataset, 'name' | 'classNames'> & { readonly train: Pick<ImageSet, 'labels'> };

/** Splits the training images. Throws E_DATA_CLASSES if there are fewer than two classes, and E_SPLIT_TOO_FEW. */
export function splitLabelled(dataset: Labelled, options: SplitOptions): Split {
  checkClasses(dataset);
  const { labels } = dataset.train;
  const { perClass, kind, splitSeed, validation } = options;
  const rows = Uint32Array.from(labels, (_, row) => row);
  const shuffled = (purpose: 'split' | 'validation') => new Stream(keyOf(splitSeed, purpose)).permutation(rows.length);
  const without = (held: Uint32Array): Uint32Array => {
    const isHeld = new Set(held);
    return rows.filter((row) => !isHeld.has(row));
  };

  if (perClass === 'all') {
    const held = validation === 0 ? new Uint32Array() : proportionally(dataset, shuffled('validation'), validation);
    const unlabelled = without(held);
    return { labelled: unlabelled.filter((row) => labels[row] !== UNKNOWN), unlabelled, validation: held };
  }
  const labelled = takePerClass(dataset, kind === 'first' ? rows : shuffled('split'), perClass);
  const isLabelled = new Set(labelled);
  const others = shuffled('validation').filter((row) => labels[row] !== UNKNOWN && !isLabelled.has(row));
  if (validation > others.length) {
    throw new PseudolabelError(
      'E_SPLIT_TOO_FEW',
      `There are ${others.length} training images with labels besides the ${labelled.length} labelled ones, too few for ${validation} validation images`,
      'Ask for fewer validation images or fewer labels per class.',
    );
  }
  const held = others.subarray(0, validation).sort();
  return { labelled, unlabelled: without(held), validation: held };
}

/** Throws E_DATA_CLASSES if there are fewer than two classes. */
export function checkClasses({ name, classNames, train }: Labelled): void {
  const known = knownCount(train.labels);
  if (known > 0 && classNames.length > 1) return;
  const message =
    known === 0
      ? `none of the training images of ${name} has a label`
      : `all training labels of ${name} that are known are ${classNames[0]}; a classifier needs two classes`;
  const fix =
    'Give a few labels of each of two or more classes: --labels FILE, a CSV of file (or index) and class, ' +
    'or a folder for each class. Look at what was found: pseudolabel data PATH.';
  throw new PseudolabelError('E_DATA_CLASSES', message, fix);
}

/** Returns the first `perClass` rows of each class in the given order of rows, sorted in ascending order. */
function takePerClass({ classNames, train }: Labelled, order: Uint32Array, perClass: number): Uint32Array {
  const taken = new Uint32Array(classNames.length);
  const rows = order.filter((row) => {
    const label = train.labels[row]!;
    if (label === UNKNOWN || taken[label] === perClass) return false;
    taken[label]! += 1;
    return true;
  });
  const short = taken.findIndex((count) => count < perClass);
  if (short >= 0) {
    const least = taken.reduce((smallest, count) => Math.min(smallest, count));
    throw new PseudolabelError(
      'E_SPLIT_TOO_FEW',
      `Class ${classNames[short]} has ${taken[short]} training images with labels, too few for ${perClass} labels per class`,
      least === 0
        ? 'Give training labels of every class.'
        : `Ask for at most ${least} labels per class, or for all (--labels-per-class ${least}, or all).`,
    );
  }
  return rows.sort();
}

/**
 * Returns `count` of the rows with labels, of each class in proportion: the first in the given order of rows, sorted in
 * ascending order.
 */
function proportionally({ classNames, train }: Labelled, order: Uint32Array, count: number): Uint32Array {
  const known = new Array<number>(classNames.length).fill(0);
  for (const label of train.labels) if (label !== UNKNOWN) known[label]! += 1;
  const left = shareOut(known, count);
  return order
    .filter((row) => {
      const label = train.labels[row]!;
      if (label === UNKNOWN || left[label] === 0) return false;
      left[label]! -= 1;
      return true;
    })
    .sort();
}

/**
 * Returns how many of `count` images to take of each class. known: the images of each class. The numbers are in
 * proportion, and leave at least one image of each class. What rounding down leaves goes to the classes that lost most
 * by it. Throws E_SPLIT_TOO_FEW.
 */
export function shareOut(known: readonly number[], count: number): number[] {
  const room = known.map((images) => Math.max(0, images - 1));
  const [all, most] = [known, room].map((each) => each.reduce((sum, images) => sum + images, 0)) as [number, number];
  if (count > most) {
    throw new PseudolabelError(
      'E_SPLIT_TOO_FEW',
      `${count} validation images of ${all} labelled ones would leave a class without a label`,
      most > 0
        ? `Ask for at most ${most} validation images (--validation ${most}), or give more labels.`
        : 'Leave out --validation, or give more labels.',
    );
  }
  const exact = known.map((images) => (images * count) / all);
  const taken = exact.map((share, each) => Math.min(room[each]!, Math.floor(share)));
  let missing = count - taken.reduce((sum, images) => sum + images, 0);
  const bySize = [...known.keys()].sort((a, b) => exact[b]! - taken[b]! - (exact[a]! - taken[a]!) || a - b);
  while (missing > 0) {
    for (const each of bySize) {
      if (missing === 0 || taken[each] === room[each]) continue;
      taken[each]! += 1;
      missing -= 1;
    }
  }
  return taken;
}
