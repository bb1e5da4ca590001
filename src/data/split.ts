// Which training images keep their labels, which are used without, and which are held back to validate.
import { PseudolabelError } from '../errors.js';
import { keyOf, Stream } from '../random.js';
import { type Dataset, type ImageSet, knownCount, UNKNOWN } from './dataset.js';

export interface SplitOptions {
  /** How many labelled images of each class; 'all': all whose class is known, but for those held back. */
  readonly perClass: number | 'all';
  /** 'first': the first of each class in file order (the report's split_by_label); 'random': drawn by `splitSeed`. */
  readonly kind: 'first' | 'random';
  readonly splitSeed: number;
  /** How many images to hold back, drawn by `splitSeed` from those that have a label and are not in the labelled set. */
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

type Labelled = Pick<Dataset, 'name' | 'classNames'> & { readonly train: Pick<ImageSet, 'labels'> };

/** Throws E_DATA_CLASSES where there are no two classes to tell apart, and E_SPLIT_TOO_FEW. */
export function splitLabelled(dataset: Labelled, options: SplitOptions): Split {
  checkClasses(dataset);
  const { labels } = dataset.train;
  const { perClass, kind, splitSeed, validation } = options;
  const rows = Uint32Array.from(labels, (_, row) => row);
  const shuffled = (purpose: 'split' | 'validation') => new Stream(keyOf(splitSeed, purpose)).permutation(rows.length);
  const isKnown = (row: number): boolean => labels[row] !== UNKNOWN;

  const chosen =
    perClass === 'all'
      ? new Uint32Array()
      : takePerClass(dataset, kind === 'first' ? rows : shuffled('split'), perClass);
  const isChosen = new Set(chosen);
  const others = shuffled('validation').filter((row) => isKnown(row) && !isChosen.has(row));
  if (validation > others.length) {
    throw new PseudolabelError(
      'E_SPLIT_TOO_FEW',
      `There are ${others.length} training images with labels besides the ${chosen.length} labelled ones, too few for ${validation} validation images`,
      'Ask for fewer validation images or fewer labels per class.',
    );
  }
  const held = others.subarray(0, validation).sort();
  const isHeld = new Set(held);
  const labelled = perClass === 'all' ? rows.filter((row) => isKnown(row) && !isHeld.has(row)) : chosen;
  checkEveryClass(dataset, labelled);
  return { labelled, unlabelled: rows.filter((row) => !isHeld.has(row)), validation: held };
}

/** Throws E_DATA_CLASSES where there are no two classes to tell apart. */
export function checkClasses({ name, classNames, train }: Labelled): void {
  const known = knownCount(train.labels);
  if (known > 0 && classNames.length > 1) return;
  const message =
    known === 0
      ? `none of the training images of ${name} has a label`
      : `all training labels of ${name} that are known are ${classNames[0]}; a classifier needs two classes`;
  const fix =
    'Give training labels of two or more classes; in a file of bytes, 255 says that nobody knows the class of an image.';
  throw new PseudolabelError('E_DATA_CLASSES', message, fix);
}

/** The first `perClass` rows of each class in the given order of rows, returned in ascending order. */
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

/** Validation images may have taken the last labels of a class. */
function checkEveryClass({ classNames, train }: Labelled, labelled: Uint32Array): void {
  const there = new Set(Array.from(labelled, (row) => train.labels[row]!));
  const gone = classNames.find((_, each) => !there.has(each));
  if (gone === undefined) return;
  const message = `All labelled images of class ${gone} are among the validation images`;
  throw new PseudolabelError('E_SPLIT_TOO_FEW', message, 'Ask for fewer validation images.');
}
