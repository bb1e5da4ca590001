// Uses a saved model: checks that the model and the images fit, and predicts on threads.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Dataset, type ImageSet, relabelled, UNKNOWN } from '../src/data/dataset.js';
import type { ImageStore } from '../src/data/image-store.js';
import { PseudolabelError } from '../src/errors.js';
import { inputsOf, outputsOf } from '../src/models/models.js';
import { loadModel, type SavedModel, sizeText } from '../src/models/saved-model.js';
import { normalise } from '../src/training/config.js';
import { type Classified, Predictor } from './predictor.js';
import type { Seeds } from './propagation.js';

/**
 * Returns the names of a model's classes. If the model has none, returns the names of a data set with as many classes,
 * or else numbers.
 */
export function classNamesOf({ model, meta }: SavedModel, dataset?: Dataset): readonly string[] {
  const units = outputsOf(model);
  if (meta?.classNames) return meta.classNames;
  return dataset?.classes === units ? dataset.classNames : Array.from({ length: units }, (_, each) => String(each));
}

/** Returns the folder that holds the model: `model` in the folder of a run, or else the folder itself. */
export function modelFolder(folder: string): string {
  const inRun = join(folder, 'model');
  return existsSync(join(inRun, 'model.json')) ? inRun : folder;
}

/** Loads a saved model that classifies. Throws E_MODEL. */
export async function loadClassifier(folder: string): Promise<SavedModel> {
  const saved = await loadModel(modelFolder(folder));
  if (saved.model.objective === 'reconstruction')
    throw new PseudolabelError('E_MODEL', `${folder} is an autoencoder`, 'give a model that predicts classes');
  return saved;
}

/** Throws E_DATA_SHAPE if the images are not of the model's size. */
export function checkPixels(
  { model, meta }: SavedModel,
  images: Pick<Dataset, 'name' | 'height' | 'width' | 'channels'>,
): void {
  const { name, height, width, channels } = images;
  const inputs = inputsOf(model);
  const { rows, columns, channels: values = 1 } = meta ?? { rows: height, columns: width, channels };
  const isSameSize = rows === height && columns === width;
  if (isSameSize && values === channels && height * width * channels === inputs) return;
  const found = sizeText({ rows: height, columns: width, channels });
  const wanted = meta ? sizeText(meta) : `${inputs} values`;
  const [one, other] = values === 1 ? ['grey', 'colour'] : ['colour', 'grey'];
  const fix = !meta
    ? 'give images of the size that the model was trained on'
    : values === channels
      ? `resize them: --size ${rows}x${columns}`
      : `the model learned from ${one} images, these have ${channels === 1 ? 'one value' : `${channels} values`} a pixel: give ${one} ones, or train a model on ${other} ones`;
  throw new PseudolabelError('E_DATA_SHAPE', `${name} has images of ${found} pixels, the model takes ${wanted}`, fix);
}

/** Returns the test images, with labels in the model's numbering of the classes. Throws E_DATA_MISSING and E_MODEL. */
export function testOf({ name, test, classNames: names }: Dataset, classNames: readonly string[]): ImageSet {
  if (!test) {
    const fix = 'give a data set with test images and their labels, or use `pseudolabel label`, which needs none';
    throw new PseudolabelError('E_DATA_MISSING', `${name} has no test images with labels`, fix);
  }
  const { labels, missing } = relabelled(test.labels, names, classNames);
  if (missing === undefined) return { ...test, labels };
  const known = `${classNames.slice(0, 10).join(', ')}${classNames.length > 10 ? ', ...' : ''}`;
  throw new PseudolabelError(
    'E_MODEL',
    `${name} has test images of class ${missing}, the model knows only ${known}`,
    'give a data set of the classes that it was trained on',
  );
}

export interface Speed {
  readonly imagesPerSecond: number;
  readonly workers: number;
}

/**
 * Returns the images whose label is known, with labels in the model's numbering of the classes. Throws E_DATA_CLASSES
 * if no label is known, and E_MODEL.
 */
export function seedsOf(labels: Uint16Array, names: readonly string[], classNames: readonly string[]): Seeds {
  const { labels: known, missing } = relabelled(labels, names, classNames);
  if (missing !== undefined)
    throw new PseudolabelError(
      'E_MODEL',
      `there are known labels of class ${missing}, which the model does not know`,
      'give labels of the classes that it was trained on',
    );
  const positions = Uint32Array.from(known.keys()).filter((image) => known[image] !== UNKNOWN);
  if (positions.length > 0) return { positions, labels: Uint16Array.from(positions, (image) => known[image]!) };
  const fix = 'give a few known labels: --labels FILE, or leave out --propagate';
  throw new PseudolabelError('E_DATA_CLASSES', 'no image has a known label that could spread', fix);
}

/**
 * Predicts the images on threads of its own, and measures the speed. Throws E_INTERRUPTED.
 * @param workers the number of threads; undefined: one for each core
 * @param work the computation; by default, each image is classified on its own
 */
export async function classified(
  saved: SavedModel,
  images: ImageStore,
  workers: number | undefined,
  signal: AbortSignal,
  work: (predictor: Predictor) => Promise<Classified> = (predictor) => predictor.classify(),
): Promise<{ readonly predicted: Classified; readonly speed: Speed }> {
  const predictor = await Predictor.open(saved, images, normalise({ workers }).workers);
  try {
    const began = performance.now();
    const predicted = await Promise.race([work(predictor), interruption(signal)]);
    const seconds = (performance.now() - began) / 1000;
    return { predicted, speed: { imagesPerSecond: images.count / seconds, workers: predictor.workers } };
  } finally {
    await predictor.close();
  }
}

function interruption(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void =>
      reject(new PseudolabelError('E_INTERRUPTED', 'stopped', 'nothing was written: run it again'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
