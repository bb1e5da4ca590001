// What the commands that use a saved model share: their flags, the checks that model and images fit, and threads to
// predict with.

import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import type { Dataset } from '../../src/data/dataset.js';
import { MNIST } from '../../src/data/load.js';
import type { Precision } from '../../src/engine/precision.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted, whole } from '../../src/format.js';
import { relaid } from '../../src/models/dense/model.js';
import { inputsOf, outputsOf } from '../../src/models/models.js';
import { loadModel, type SavedModel } from '../../src/models/saved-model.js';
import { normalise, PRECISION_CHOICES } from '../../src/training/config.js';
import { openPredictor } from '../compose.js';
import type { Dispatcher } from '../dispatcher.js';
import { checkPrecision } from '../executors/numerics.js';
import { RunDirectory } from '../runs/run-directory.js';
import { number } from './options.js';

export interface ModelFlags {
  readonly data?: string;
  readonly workers?: number;
  readonly precision?: Precision;
  readonly json?: string;
}

/** The part of a run's config that is needed here. */
const RUN_DATA = z.object({ data: z.string().optional() });

export function addModelOptions(command: Command): Command {
  return command
    .argument('<model>', 'folder of a saved model, or a run directory')
    .option('--data <dir>', 'folder with the IDX files of a data set (that of the run, else MNIST)')
    .option('--workers <n>', 'threads (one a core)', number)
    .addOption(new Option('--precision <name>', 'of matrix products (f32)').choices(PRECISION_CHOICES))
    .option('--json <file>', 'write the result as JSON; - for stdout');
}

/**
 * The data set that a model's images come from where no --data says it: that of its run. Throws E_MODEL for a model of
 * other data than MNIST that is in no run.
 */
export async function dataOf(folder: string, { meta }: SavedModel): Promise<string | undefined> {
  const path = resolve(folder);
  const run = basename(path) === 'model' ? dirname(path) : path;
  if (RunDirectory.isAt(run)) return dataOfRun(run);
  if (meta?.data === undefined || meta.data === MNIST) return undefined;
  throw new PseudolabelError(
    'E_MODEL',
    `${folder} was trained on ${meta.data}`,
    'give that data set, or another of its kind: --data DIR',
  );
}

async function dataOfRun(run: string): Promise<string | undefined> {
  const { success, data } = RUN_DATA.safeParse(await RunDirectory.configOf(run));
  if (success) return data.data;
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
  return { ...saved, model: { ...model, precision }, parameters: relaid(parameters, model, precision) };
}

/** Throws E_DATA_SHAPE where the images are not of the model's size. name: of the images. */
export function checkPixels({ model, meta }: SavedModel, rows: number, columns: number, name: string): void {
  const inputs = inputsOf(model);
  if (rows * columns === inputs) return;
  const wanted = meta ? `${meta.rows} x ${meta.columns}` : `${inputs}`;
  const fix = 'give images of the size that the model was trained on';
  throw new PseudolabelError(
    'E_DATA_SHAPE',
    `${name} has images of ${rows} x ${columns} pixels, the model takes ${wanted}`,
    fix,
  );
}

export interface Speed {
  readonly imagesPerSecond: number;
  readonly workers: number;
}

export const speedLine = ({ imagesPerSecond, workers }: Speed): string =>
  `${whole(imagesPerSecond)} images/s with ${counted(workers, 'worker')}`;

/** What `work` predicts on threads that have the model and the images, and how fast. Throws E_INTERRUPTED. */
export async function predict<T>(
  saved: SavedModel,
  images: Parameters<typeof openPredictor>[1],
  flags: ModelFlags,
  signal: AbortSignal,
  work: (dispatcher: Dispatcher) => Promise<T>,
): Promise<{ readonly predicted: T; readonly speed: Speed }> {
  const dispatcher = await openPredictor(saved, images, normalise({ workers: flags.workers }).workers);
  try {
    const began = performance.now();
    const predicted = await Promise.race([work(dispatcher), interruption(signal)]);
    const seconds = (performance.now() - began) / 1000;
    const { unlabelled, test } = images;
    const count = (unlabelled ?? test)?.count ?? 0;
    return { predicted, speed: { imagesPerSecond: count / seconds, workers: dispatcher.workers } };
  } finally {
    await dispatcher.close();
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
