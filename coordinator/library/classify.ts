// What a program does with a trained model besides labelling images: load it, and measure it.
import type { Dataset } from '../../src/data/dataset.js';
import { toLayersModel } from '../../src/models/layers-model.js';
import type { SavedModel } from '../../src/models/saved-model.js';
import { accuracy, confusionMatrix } from '../../src/reporting/metrics.js';
import { checkPixels, classified, classNamesOf, loadClassifier, testOf } from '../classifier.js';
import { checkEnvironment } from './environment.js';
import { interruptible } from './interruption.js';
import type { TensorFlowModel } from './tensorflow-model.js';

/** A trained model that tells classes apart. */
export interface Classifier {
  /** For TensorFlow.js. It is the program's: what becomes of it changes nothing else here. */
  readonly model: TensorFlowModel;
  /** In the order of the model's outputs. */
  readonly classNames: readonly string[];
  /** The same model as `label` and `evaluate` compute with it. */
  readonly saved: SavedModel;
}

/** How a model is used. */
export interface ClassifyOptions {
  /** Threads. Left out: one a core. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How good a model is on a test set. */
export interface Evaluation {
  /** Share of the test images whose class is the right one, from 0 to 1. */
  readonly accuracy: number;
  /** confusion[label][predicted]: numbers of test images. */
  readonly confusion: readonly (readonly number[])[];
  readonly classNames: readonly string[];
  /** Of the test set. */
  readonly images: number;
  readonly imagesPerSecond: number;
  /** Threads that computed. */
  readonly workers: number;
}

/**
 * Loads a saved model, or the model of a run.
 * @param folder with a model.json, or of a run
 * @throws PseudolabelError E_MODEL, E_NATIVE
 */
export async function loadModel(folder: string): Promise<Classifier> {
  checkEnvironment();
  return classifierOf(await loadClassifier(folder));
}

export async function classifierOf(saved: SavedModel): Promise<Classifier> {
  return { model: await toLayersModel(saved), classNames: classNamesOf(saved), saved };
}

/**
 * Measures a model on the test images of a data set.
 * @throws PseudolabelError E_DATA_MISSING where there are none; E_DATA_SHAPE, E_MODEL, E_MEMORY, E_NATIVE; E_INTERRUPTED
 */
export function evaluate(
  { saved }: Pick<Classifier, 'saved'>,
  dataset: Dataset,
  { workers, signal }: ClassifyOptions = {},
): Promise<Evaluation> {
  return interruptible(signal, async (stop) => {
    checkEnvironment();
    checkPixels(saved, dataset);
    const classNames = classNamesOf(saved, dataset);
    const { images, labels, count } = testOf(dataset, classNames);
    const { predicted, speed } = await classified(saved, images, workers, stop);
    const confusion = confusionMatrix(predicted.classes, labels, classNames.length);
    return { accuracy: accuracy(predicted.classes, labels), confusion, classNames, images: count, ...speed };
  });
}
