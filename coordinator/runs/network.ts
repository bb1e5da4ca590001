// The network that a run's config names: built in, or from the file of a saved model.
import { join } from 'node:path';
import type { Dataset } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { convnet } from '../../src/models/layers/convnet.js';
import { describe } from '../../src/models/layers/describe.js';
import type { LayersModel } from '../../src/models/layers/model.js';
import { readLayers } from '../../src/models/saved-model.js';
import { hiddenOf, type RunConfig } from '../../src/training/config.js';

export interface Network {
  readonly model: LayersModel;
  /** What training starts from; undefined: weights are drawn. */
  readonly parameters: Float32Array | undefined;
}

/** undefined: a dense network, which the config says by itself. Throws E_CONFIG and E_MODEL. */
export async function networkFor(config: RunConfig, dataset: Dataset): Promise<Network | undefined> {
  if (hiddenOf(config) !== undefined) return undefined;
  const { model: name, fresh = false } = config;
  const { height, width, channels, classes } = dataset;
  if (name === 'convnet') {
    try {
      return { model: await describe(convnet([height, width, channels], classes)), parameters: undefined };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new PseudolabelError('E_CONFIG', `model: ${error.message}`, 'give larger images: --size 32x32');
    }
  }
  const path = name!.endsWith('.json') ? name! : join(name!, 'model.json');
  const { model, parameters } = await readLayers(path);
  checkFit(path, model, dataset);
  return { model, parameters: fresh ? undefined : parameters };
}

/** Throws E_MODEL where a model is not for such images or classes. path: where the model is, or its name. */
export function checkFit(path: string, { inputShape, classes }: LayersModel, dataset: Dataset): void {
  const { height, width, channels, pixels, name } = dataset;
  const [rows, columns, depth] = inputShape;
  const isFlat = inputShape.length === 1 && rows === pixels;
  const isGrey = inputShape.length === 2 && channels === 1;
  const isImage = inputShape.length === 3 && depth === channels;
  if (!isFlat && !((isGrey || isImage) && rows === height && columns === width))
    throw new PseudolabelError(
      'E_MODEL',
      `${path} takes ${inputShape.join(' x ')}, the images of ${name} are ${height} x ${width} x ${channels}`,
      inputShape.length === 3 && depth === channels
        ? `resize the images: --size ${rows}x${columns}`
        : 'give a model for such images',
    );
  if (classes === dataset.classes) return;
  const message = `${path} has ${classes} outputs, ${name} has ${dataset.classes} classes`;
  throw new PseudolabelError('E_MODEL', message, 'give a model whose last layer has a unit for each class');
}
