// Defines what the commands that use a saved model share: their flags, the images, and the line about speed.

import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Dataset } from '../../src/data/dataset.js';
import { MNIST } from '../../src/data/load.js';
import { DATA_OPTIONS, type DataOptions } from '../../src/data/options.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted, whole } from '../../src/format.js';
import type { SavedModel } from '../../src/models/saved-model.js';
import { flagOf } from '../../src/option-text.js';
import { checkPixels, type Speed } from '../classifier.js';
import { loadData } from '../load-data.js';
import { RunDirectory } from '../runs/run-directory.js';
import { addDataOptions, type Context, number, usage } from './options.js';

export interface ModelFlags extends DataOptions {
  readonly workers?: number;
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
    .option('--json <file>', 'write the result as JSON; - for stdout');
}

/**
 * Loads the images that a model is used on: those that the flags name, or else those of its run. Images of --data are
 * resized like those of the run, unless --size is given. Throws E_MODEL for a model that is in no run and is not of
 * MNIST.
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

/** Returns the options by which the images of a model are read. */
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

/** Returns the flags about data. */
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

export const speedLine = ({ imagesPerSecond, workers }: Speed): string =>
  `${whole(imagesPerSecond)} images/s with ${counted(workers, 'worker')}`;
