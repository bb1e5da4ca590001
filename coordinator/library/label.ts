// Labels images with a trained model: either each image on its own, or all by known labels that spread from image to
// image.
import type { DatasetParts, ImageSet } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { type Labelled, labelledOf } from '../../src/labelling/labelled.js';
import { checkPixels, classified, classNamesOf, seedsOf } from '../classifier.js';
import type { Classified, Predictor } from '../predictor.js';
import type { SearchListener } from '../propagation.js';
import { interruptible } from './abort-signal.js';
import type { Classifier, ClassifyOptions } from './classify.js';
import { checkEnvironment } from './environment.js';
import { type HeldChoice, type HeldRule, heldFor, heldRuleSchema } from './held-shares.js';

/** How images are labelled. */
export interface LabelOptions extends ClassifyOptions {
  /** If true, labels the test images instead of the training images. */
  readonly test?: boolean | undefined;
  /**
   * If true, the known labels spread over all images by a graph of similar images, and are mixed with the model's
   * predictions (docs/label-propagation.md). Two images are similar if the model's features and their histograms of
   * gradients are. Images with known labels keep them.
   */
  readonly propagate?: boolean | undefined;
  /**
   * The shares of the classes that labels are held to while they spread: those among the model's predictions
   * ('predicted'), those of the known labels ('labelled'), equal ones ('equal'), none ('off'), or a share of each
   * class, from 0 to 1, which sum to 1. Defaults to predicted.
   */
  readonly classShares?: HeldRule | undefined;
  /** Is told how long a search for neighbours takes, among 131,072 images and more. */
  readonly searching?: SearchListener | undefined;
}

/** The labels of images: classes, confidences from 0 to 1, and the second likeliest class of each. */
export interface Labels extends Labelled {
  /** The shares that spread labels were held to; undefined: to none. */
  readonly classShares: HeldChoice;
  readonly imagesPerSecond: number;
  /** The number of threads that computed. */
  readonly workers: number;
}

/**
 * Labels all training images of a data set, or all its test images, in their order.
 * @param dataset need not have labels
 * @throws PseudolabelError E_DATA_SHAPE, E_DATA_MISSING, E_MEMORY, E_NATIVE; E_DATA_CLASSES, E_MODEL, E_USAGE and
 * E_CONFIG if known labels cannot spread; E_INTERRUPTED if the signal aborts
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

/** Throws E_CONFIG for shares that are invalid or have no effect. */
function checkShares({ classShares, propagate }: LabelOptions): void {
  if (classShares === undefined) return;
  const wrong = (problem: string, fix: string) => new PseudolabelError('E_CONFIG', `classShares: ${problem}`, fix);
  if (!propagate) throw wrong('has no effect where no labels spread', 'add propagate: true, or leave it out');
  if (!heldRuleSchema.safeParse(classShares).success)
    throw wrong(`${JSON.stringify(classShares)}`, "give 'labelled', 'equal', 'off', or shares that sum to 1");
}

/** Returns the images that are labelled. Throws E_DATA_MISSING. */
export function setOf({ name, train, test }: Pick<DatasetParts, 'name' | 'train' | 'test'>, isTest: boolean): ImageSet {
  if (!isTest) return train;
  if (test) return test;
  const fix = 'leave out --test, or give data that has some: a folder test/ beside train/, say';
  throw new PseudolabelError('E_DATA_MISSING', `${name} has no test images`, fix);
}

/**
 * Prepares the spreading of the known labels, and chooses the shares that they are held to. Throws E_DATA_CLASSES,
 * E_MODEL, E_USAGE.
 */
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
