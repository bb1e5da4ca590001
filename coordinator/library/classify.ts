// Loads a trained model for a program, and measures it.
import type { Dataset } from '../../src/data/dataset.js';
import { toLayersModel } from '../../src/models/layers-model.js';
import type { SavedModel } from '../../src/models/saved-model.js';
import { confusionMatrix } from '../../src/reporting/confusion.js';
import { accuracy } from '../../src/reporting/metrics.js';
import { checkPixels, classified, classNamesOf, loadClassifier, testOf } from '../classifier.js';
import { interruptible } from './abort-signal.js';
import { checkEnvironment } from './environment.js';
import type { TensorFlowModel } from './tensorflow-model.js';

/** A trained model that classifies. */
export interface Classifier {
  /** The model for TensorFlow.js. It belongs to the program: a change of it changes nothing else here. */
  readonly model: TensorFlowModel;
  /** The names of the classes, in the order of the model's outputs. */
  readonly classNames: readonly string[];
  /** The same model, in the form that `label` and `evaluate` compute with. */
  readonly saved: SavedModel;
}

/** How a model is used. */
export interface ClassifyOptions {
  /** The number of threads. Defaults to one for each core. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How good a model is on a test set. */
export interface Evaluation {
  /** The share of the test images that are classified right, from 0 to 1. */
  readonly accuracy: number;
  /** confusion[label][predicted]: numbers of test images. */
  readonly confusion: readonly (readonly number[])[];
  readonly classNames: readonly string[];
  /** The number of test images. */
  readonly images: number;
  readonly imagesPerSecond: number;
  /** The number of threads that computed. */
  readonly workers: number;
}

/**
 * Loads a saved model, or the model of a run.
 * @param folder a folder with a model.json, or the folder of a run
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
 * @throws PseudolabelError E_DATA_MISSING if there are none; E_DATA_SHAPE, E_MODEL, E_MEMORY, E_NATIVE; E_INTERRUPTED
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
