// Makes the network that a run's config names: a built-in one, or one from the file of a saved model.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { KERAS_EXTENSION, readKeras } from '../../src/models/keras-file.js';
import { convnetModel } from '../../src/models/layers/convnet.js';
import { readLayers, type SavedModel } from '../../src/models/saved-model.js';
import { edits } from '../../src/spelling.js';
import { hiddenOf, type RunConfig } from '../../src/training/config.js';
import { checkFit, readStart, type StartingNetwork, startingFrom } from './start.js';

/**
 * Returns the network of a run and the weights that it starts from. Returns undefined for a dense network with drawn
 * weights, which the config describes completely.
 * @param start a model that a program gives instead of config.start
 * @throws PseudolabelError E_CONFIG, E_MODEL, E_DATA_SHAPE
 */
export async function networkFor(
  config: RunConfig,
  dataset: Dataset,
  start?: SavedModel,
): Promise<StartingNetwork | undefined> {
  const network = withMembers(await named(config, dataset), config);
  const given = start ?? (config.start === undefined ? undefined : await readStart(config.start));
  return given ? startingFrom(given, config, dataset, network) : network;
}

/** Sets the number of members. Throws E_CONFIG if the network cannot have several. */
function withMembers(
  network: StartingNetwork | undefined,
  { members = 1, start }: RunConfig,
): StartingNetwork | undefined {
  if (members === 1) return network;
  const problem = !network?.model
    ? 'a dense network has one'
    : start !== undefined || network.parameters
      ? 'those that begin with the same weights would stay alike'
      : network.model.objective === 'softmax'
        ? undefined
        : 'their mean is of probabilities, and the network ends in sigmoid';
  if (problem === undefined) return { ...network!, model: { ...network!.model!, members } };
  const fix = 'leave --members out, or train --model convnet or a saved network of layers with --fresh';
  throw new PseudolabelError('E_CONFIG', `members: ${members}: ${problem}`, fix);
}

async function named(config: RunConfig, dataset: Dataset): Promise<StartingNetwork | undefined> {
  if (hiddenOf(config) !== undefined) return undefined;
  const { model: name, fresh = false } = config;
  const { height, width, channels, classes } = dataset;
  if (name === 'convnet') {
    try {
      return { model: convnetModel([height, width, channels], classes), parameters: undefined };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new PseudolabelError('E_CONFIG', `model: ${error.message}`, 'give larger images: --size 32x32');
    }
  }
  checkNetworkName(name!);
  const isKeras = name!.endsWith(KERAS_EXTENSION);
  const path = isKeras || name!.endsWith('.json') ? name! : join(name!, 'model.json');
  const { model, parameters } = await (isKeras ? readKeras(path) : readLayers(path));
  checkFit(path, model, dataset);
  return { model, parameters: fresh ? undefined : parameters };
}

/** Throws E_MODEL if this is neither the name of a network nor the path of a file that may be read as one. */
export function checkNetworkName(name: string): void {
  if (name === 'convnet' || name.startsWith('dense:')) return;
  if (name.endsWith('.onnx')) {
    const fix = 'give a saved tf.LayersModel or a .keras file, as `pseudolabel export` writes them too';
    throw new PseudolabelError(
      'E_MODEL',
      `model: ${name}: an .onnx file is written by export, and cannot be read`,
      fix,
    );
  }
  if (existsSync(name)) return;
  const isNear = edits(name, 'convnet') <= 2;
  const fix = isNear
    ? 'did you mean convnet?'
    : 'give dense:UNITS, as dense:5000, convnet, or the path of a saved tf.LayersModel or a .keras file';
  throw new PseudolabelError('E_MODEL', `model: there is no network or folder "${name}"`, fix);
}
