// What the commands that use a saved model share: their flags, the checks that model and images fit, and threads to
// predict with.

import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import type { Dataset } from '../../src/data/dataset.js';
import type { ImageStore } from '../../src/data/image-store.js';
import { MNIST } from '../../src/data/load.js';
import { DATA_OPTIONS, type DataOptions } from '../../src/data/options.js';
import type { Precision } from '../../src/engine/precision.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted, whole } from '../../src/format.js';
import { relaid } from '../../src/models/dense/model.js';
import { denseOnly, inputsOf, outputsOf } from '../../src/models/models.js';
import { loadModel, type SavedModel, sizeText } from '../../src/models/saved-model.js';
import { normalise, PRECISION_CHOICES } from '../../src/training/config.js';
import { checkPrecision } from '../executors/numerics.js';
import { loadData } from '../load-data.js';
import { type Classified, Predictor } from '../predictor.js';
import { RunDirectory } from '../runs/run-directory.js';
import { addDataOptions, type Context, flagOf, number, usage } from './options.js';

export interface ModelFlags extends DataOptions {
  readonly workers?: number;
  readonly precision?: Precision;
  readonly json?: string;
}

/** The part of a run's config that is needed here. */
const RUN_DATA = z.object(DATA_OPTIONS);

export function addModelOptions(command: Command): Command {
  return addDataOptions(
    command.argument('<model>', 'folder of a saved model, or a run directory'),
    'that of the run, else MNIST',
  )
    .option('--workers <n>', 'threads (one a core)', number)
    .addOption(new Option('--precision <name>', 'of matrix products (f32)').choices(PRECISION_CHOICES))
    .option('--json <file>', 'write the result as JSON; - for stdout');
}

/**
 * The images that a model is used on: those that the flags say, else those of its run. Pictures of --data are resized as those of the
 * run were, unless --size says otherwise. Throws E_MODEL for a model of other data than MNIST that is in no run.
 */
export async function datasetFor(
  folder: string,
  saved: SavedModel,
  flags: ModelFlags,
  context: Context,
): Promise<Dataset> {
  const { workers } = flags;
  const options = await dataOf(folder, saved, flags);
  const [idle] = options.data === undefined ? Object.keys(options) : [];
  if (idle !== undefined)
    throw usage(`${flagOf(idle)} has no effect on MNIST`, `add --data PATH, or leave ${flagOf(idle)} out`);
  const dataset = await loadData({ ...options, workers }, context);
  checkPixels(saved, dataset);
  return dataset;
}

/** The options by which the images of a model are read. */
export async function dataOf(folder: string, { meta }: SavedModel, flags: DataOptions = {}): Promise<DataOptions> {
  const path = resolve(folder);
  const run = basename(path) === 'model' ? dirname(path) : path;
  const ofRun = RunDirectory.isAt(run) ? await dataOfRun(run) : undefined;
  const given = dataFlags(flags);
  if (flags.data !== undefined) return ofRun?.size === undefined ? given : { size: ofRun.size, ...given };
  if (ofRun) return { ...ofRun, ...given };
  if (meta?.data === undefined || meta.data === MNIST) return given;
  throw new PseudolabelError(
    'E_MODEL',
    `${folder} was trained on ${meta.data}`,
    'give that data set, or another of its kind: --data DIR',
  );
}

/** The flags that say something of the data. */
export function dataFlags(flags: DataOptions): DataOptions {
  const names = Object.keys(DATA_OPTIONS) as (keyof DataOptions)[];
  return Object.fromEntries(names.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]])));
}

async function dataOfRun(run: string): Promise<DataOptions> {
  const { success, data } = RUN_DATA.safeParse(await RunDirectory.configOf(run));
  if (success) return data;
  const fix = 'give the data set: --data DIR';
  throw new PseudolabelError('E_CONFIG', `${join(run, 'config.json')} is not the config of a run`, fix);
}

/** The names of a model's classes; else those of a data set with as many classes, else numbers. */
export function classNamesOf({ model, meta }: SavedModel, dataset?: Dataset): readonly string[] {
  const units = outputsOf(model);
  if (meta?.classNames) return meta.classNames;
  return dataset?.classes === units ? dataset.classNames : Array.from({ length: units }, (_, each) => String(each));
}

/** A saved model that tells classes apart, in a precision to predict with. Throws E_MODEL and E_CONFIG. */
export async function loadClassifier(folder: string, precision: Precision = 'f32'): Promise<SavedModel> {
  const inRun = join(folder, 'model');
  const saved = await loadModel(existsSync(join(inRun, 'model.json')) ? inRun : folder);
  const { model, parameters } = saved;
  if (model.objective === 'reconstruction')
    throw new PseudolabelError('E_MODEL', `${folder} is an autoencoder`, 'give a model that predicts classes');
  if (precision === 'f32') return saved;
  checkPrecision(precision);
  const dense = denseOnly(model, `computed in ${precision}`);
  return { ...saved, model: { ...dense, precision }, parameters: relaid(parameters, dense, precision) };
}

/** Throws E_DATA_SHAPE where the images are not of the model's size. */
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

export interface Speed {
  readonly imagesPerSecond: number;
  readonly workers: number;
}

export const speedLine = ({ imagesPerSecond, workers }: Speed): string =>
  `${whole(imagesPerSecond)} images/s with ${counted(workers, 'worker')}`;

/** What the model says of the images, on threads of its own, and how fast that was. Throws E_INTERRUPTED. */
export async function classified(
  saved: SavedModel,
  images: ImageStore,
  flags: ModelFlags,
  signal: AbortSignal,
): Promise<{ readonly predicted: Classified; readonly speed: Speed }> {
  const predictor = await Predictor.open(saved, images, normalise({ workers: flags.workers }).workers);
  try {
    const began = performance.now();
    const predicted = await Promise.race([predictor.classify(), interruption(signal)]);
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
