// Labels images with a trained model: by itself, or by labels that are known and spread from image to image.
import type { DatasetParts, ImageSet } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { type Labelled, labelledOf } from '../../src/labelling/labelled.js';
import { checkPixels, classified, classNamesOf, seedsOf } from '../classifier.js';
import type { Classified, Predictor } from '../predictor.js';
import type { SearchListener } from '../propagation.js';
import type { Classifier, ClassifyOptions } from './classify.js';
import { checkEnvironment } from './environment.js';
import { type HeldChoice, type HeldRule, heldFor, heldRuleSchema } from './held-shares.js';
import { interruptible } from './interruption.js';

/** How images are labelled. */
export interface LabelOptions extends ClassifyOptions {
  /** true: the test images, in place of the training images. */
  readonly test?: boolean | undefined;
  /**
   * true: the labels that are known spread over all images by a graph of those that look alike, to the model and by their strokes, and are mixed
   * with what the model says (docs/label-propagation.md). Those images keep their own labels.
   */
  readonly propagate?: boolean | undefined;
  /**
   * To which shares of the classes labels are held while they spread: those among the model's predictions, of the known labels, equal ones, none
   * (off), or a share of each class, from 0 to 1, which sum to 1. Left out: predicted.
   */
  readonly classShares?: HeldRule | undefined;
  /** Is told how long a search for neighbours takes, among 131,072 images and more. */
  readonly searching?: SearchListener | undefined;
}

/** What a model says of images: classes, confidences from 0 to 1, and the second likeliest of each. */
export interface Labels extends Labelled {
  /** The shares that spread labels were held to; undefined: to none. */
  readonly classShares: HeldChoice;
  readonly imagesPerSecond: number;
  /** Threads that computed. */
  readonly workers: number;
}

/**
 * Labels the training images of a data set or its test images, all of them, in their order.
 * @param dataset need not have labels
 * @throws PseudolabelError E_DATA_SHAPE, E_DATA_MISSING, E_MEMORY, E_NATIVE; E_DATA_CLASSES, E_MODEL, E_USAGE and E_CONFIG where known labels cannot
 * spread; E_INTERRUPTED where the signal says so
 */
export function label(
  { saved }: Pick<Classifier, 'saved'>,
  dataset: DatasetParts,
  options: LabelOptions = {},
): Promise<Labels> {
  return interruptible(options.signal, async (stop) => {
    checkEnvironment();
    checkShares(options);
    checkPixels(saved, dataset);
    const set = setOf(dataset, options.test ?? false);
    const classNames = classNamesOf(saved);
    const spread = options.propagate ? propagation(dataset, set, classNames, options) : undefined;
    const { predicted, speed } = await classified(saved, set.images, options.workers, stop, spread?.work);
    const labelled = labelledOf(set, dataset.classNames, { ...predicted, classNames });
    return { ...labelled, classShares: spread?.held, ...speed };
  });
}

/** Throws E_CONFIG. */
function checkShares({ classShares, propagate }: LabelOptions): void {
  if (classShares === undefined) return;
  const wrong = (problem: string, fix: string) => new PseudolabelError('E_CONFIG', `classShares: ${problem}`, fix);
  if (!propagate) throw wrong('has no effect where no labels spread', 'add propagate: true, or leave it out');
  if (!heldRuleSchema.safeParse(classShares).success)
    throw wrong(`${JSON.stringify(classShares)}`, "give 'labelled', 'equal', 'off', or shares that sum to 1");
}

/** The images that are labelled. Throws E_DATA_MISSING. */
export function setOf({ name, train, test }: Pick<DatasetParts, 'name' | 'train' | 'test'>, isTest: boolean): ImageSet {
  if (!isTest) return train;
  if (test) return test;
  const fix = 'leave out --test, or give data that has some: a folder test/ beside train/, say';
  throw new PseudolabelError('E_DATA_MISSING', `${name} has no test images`, fix);
}

/** How the known labels spread over the images, and the shares that are assumed. Throws E_DATA_CLASSES, E_MODEL, E_USAGE. */
function propagation(
  { classNames: names, height, width, channels }: DatasetParts,
  { labels, count }: ImageSet,
  classNames: readonly string[],
  { classShares, searching }: LabelOptions,
): { readonly held: HeldChoice; work(predictor: Predictor): Promise<Classified> } {
  const seeds = seedsOf(labels, names, classNames);
  if (seeds.positions.length === count)
    throw new PseudolabelError(
      'E_USAGE',
      '--propagate has no effect where all labels are known',
      'give data with a few: --labels FILE',
    );
  const { shares, choice } = heldFor(classShares, seeds, classNames);
  const work = (predictor: Predictor) => predictor.propagate(seeds, { height, width, channels }, shares, searching);
  return { held: choice, work };
}
