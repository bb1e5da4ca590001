// Starts a run from a trained model: reads the model's network and weights, and checks that they fit.
import type { Dataset } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import type { LayersModel } from '../../src/models/layers/model.js';
import { readLayers, type SavedModel } from '../../src/models/saved-model.js';
import { hiddenOf, isTrainable, type RunConfig } from '../../src/training/config.js';
import { checkPixels, classNamesOf, loadClassifier, modelFolder } from '../classifier.js';

export interface StartingNetwork {
  /** undefined: a dense network with the units that the config gives. */
  readonly model: LayersModel | undefined;
  /** The parameters that training starts from. If undefined, they are drawn. */
  readonly parameters: Float32Array | undefined;
  /** The value of `model` in the config of a dense network whose units come from the start. */
  readonly name?: string;
}

/** Reads the model at `path`, the folder of a model or a run. Throws E_MODEL. */
export async function readStart(path: string): Promise<SavedModel> {
  const saved = await loadClassifier(path);
  if (saved.model.kind === 'layers' || isTrainable(hiddenUnits(saved.model))) return saved;
  // The model is too small or too deep for a dense network of this program, but works as layers.
  return { ...(await readLayers(`${modelFolder(path)}/model.json`)), meta: saved.meta };
}

const hiddenUnits = ({ layers }: DenseModel): number[] => layers.slice(0, -1).map(({ units }) => units);

/**
 * Returns the network of a run that starts from a model.
 * @param network the network that the config names
 * @throws PseudolabelError E_MODEL if the start is another network, or of other classes; E_DATA_SHAPE if it is for
 * other images; E_CONFIG
 */
export function startingFrom(
  start: SavedModel,
  config: RunConfig,
  dataset: Dataset,
  network: StartingNetwork | undefined,
): StartingNetwork {
  const { model, parameters } = start;
  const name = config.start ?? 'the start';
  if (config.fresh)
    throw new PseudolabelError('E_CONFIG', 'fresh: has no effect on a run with a start', 'leave one of the two out');
  checkClasses(name, start, dataset);
  if (model.kind === 'dense') {
    checkPixels(start, dataset);
    const units = hiddenUnits(model);
    const wanted = config.model === undefined ? units : hiddenOf(config);
    if (String(wanted) !== String(units)) throw otherNetwork(name, `dense:${units}`, config);
    return { model: undefined, parameters: parameters, name: `dense:${units}` };
  }
  checkFit(name, model, dataset);
  if (config.model === undefined) return { model, parameters };
  if (!network?.model || shapesOf(network.model) !== shapesOf(model)) throw otherNetwork(name, 'of layers', config);
  return { model: network.model, parameters };
}

const shapesOf = ({ inputShape, weights }: LayersModel): string =>
  JSON.stringify([inputShape, weights.map(({ shape }) => shape)]);

function otherNetwork(name: string, what: string, { model }: RunConfig): PseudolabelError {
  const message = `start: the network of ${name} is ${what}, and not ${model}`;
  return new PseudolabelError('E_MODEL', message, 'leave --model out: the network of the start is trained');
}

/**
 * Throws E_MODEL if the model has another number of classes than the data, or the same class names in another order.
 */
function checkClasses(name: string, start: SavedModel, { classes, classNames, name: data }: Dataset): void {
  const names = classNamesOf(start);
  if (names.length !== classes) {
    const message = `start: ${name} has ${names.length} classes, ${data} has ${classes}`;
    throw new PseudolabelError('E_MODEL', message, 'start from a model of the same classes');
  }
  if (!start.meta?.classNames || String(names) === String(classNames)) return;
  if (String([...names].sort()) !== String([...classNames].sort())) return; // The last layer learns other classes anew.
  const message = `start: ${name} has the classes of ${data} in another order: ${names.slice(0, 5).join(', ')}`;
  throw new PseudolabelError('E_MODEL', message, 'start from a model that was trained on this data set');
}

/**
 * Throws E_MODEL or E_DATA_SHAPE if a model is not for such images or classes. path: where the model is, or its name.
 */
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
