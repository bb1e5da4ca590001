// Turns the options that a program gives into a run that can be trained, or finds a run that has ended.
import type * as Tf from '@tensorflow/tfjs-node';
import type { Dataset } from '../../src/data/dataset.js';
import { DATA_OPTIONS, type DataOptions } from '../../src/data/options.js';
import { PseudolabelError } from '../../src/errors.js';
import { fromLayersModel } from '../../src/models/layers-model.js';
import { normalise, type Options, type RunConfig } from '../../src/training/config.js';
import { withAbsolutePaths } from '../runs/absolute-paths.js';
import { withDefaultPreset } from '../runs/default-preset.js';
import { identityOf } from '../runs/identity.js';
import { networkFor } from '../runs/network.js';
import { type ResolvedRun, resolveRun } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { checkNew, checkSameData, locate, savedConfig, withSavedValidation } from '../runs/resume.js';
import { RunDirectory } from '../runs/run-directory.js';
import { checkFit, type StartingNetwork } from '../runs/start.js';
import type { Classifier } from './classify.js';
import type { Coordinator, NodeOptions } from './cluster.js';
import { type LoadedDataset, loadDataset } from './data.js';
import { checkEnvironment } from './environment.js';
import type { TensorFlowModel } from './tensorflow-model.js';
import type { Training } from './workers.js';

/** The options of `pseudolabel train`, in camel case, and those that only a program has. */
export interface TrainOptions extends Omit<Options, 'data' | 'model' | 'start'>, NodeOptions {
  /** A data set, or the path of one. Defaults to MNIST. */
  readonly data?: Dataset | string | undefined;
  /**
   * 'dense:1024,512', 'convnet', the path of a saved model, or a model. A model's weights are the start, unless `fresh`
   * is true.
   */
  readonly model?: string | TensorFlowModel | undefined;
  /**
   * A trained model, as the folder of a model or a run, the result of `loadModel`, or the result of a run. Its weights
   * are the start, and without `model` its network is trained.
   */
  readonly start?: string | Pick<Classifier, 'saved'> | undefined;
  /**
   * The run directory, which must be empty or not exist. If left out, nothing is written, and a run that is stopped is
   * lost.
   */
  readonly out?: string | undefined;
  /**
   * The directory of a run that was stopped, or one of its checkpoints. The run goes on there, to the same bits as
   * without a stop. Its options are in its directory. Other options must not change what it learns. A data set or model
   * that the program itself made must be given again.
   */
  readonly resume?: string | undefined;
  /**
   * A coordinator whose nodes compute the run as well (`listen`). If left out, only the threads of this process compute
   * it.
   */
  readonly coordinator?: Coordinator | undefined;
  /** Stops the run before its next step, with E_INTERRUPTED and, if there is a directory, a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** Steps between two measurements on the validation images. Defaults to 0: only at the end. */
  readonly validateEvery?: number | undefined;
  /** If false, the test images are not used. */
  readonly test?: boolean | undefined;
}

/** A run that can be trained. */
export interface Planned {
  readonly run: ResolvedRun;
  /** Which preset was chosen, and why. */
  readonly note: string | undefined;
  readonly how: Omit<Training, 'signal' | 'begins'>;
}

/** A run that has ended before. */
export interface Finished {
  readonly run: undefined;
  readonly path: string;
  readonly result: RunResult;
}

export type Prepared = Planned | Finished;

/** Loads a data set that is given by its path. */
export type Load = (config: RunConfig, signal: AbortSignal) => Promise<Dataset>;

/**
 * Turns options into a run. Throws E_CONFIG, E_DATA_*, E_SPLIT_TOO_FEW, E_MODEL, E_CHECKPOINT_*, E_NATIVE and
 * E_INTERRUPTED.
 */
export async function prepared(options: TrainOptions, signal: AbortSignal, load: Load = loaded): Promise<Prepared> {
  checkEnvironment();
  const { data, model, start, out, resume, signal: _, validateEvery = 0, test = true, ...others } = options;
  const { coordinator: __, nodes, nodesTimeout, local, allowMixed = false, ...rest } = others;
  checkSteps(validateEvery);
  checkOwnStages(options);
  const earlier = resume === undefined ? undefined : await locate(resume);
  if (earlier && out !== undefined) throw changed('out');
  const result = earlier && (await RunDirectory.resultOf(earlier.path));
  if (result) return { run: undefined, path: earlier.path, result };
  const given = typeof data === 'object' ? data : undefined;
  if (given) refuseDataOptions(rest);
  const reading = given ? optionsOf(given) : data === undefined ? {} : { data };
  const saved = earlier && (await savedConfig(earlier.path));
  const named = typeof model === 'object' && saved?.model?.startsWith(OWN) ? saved.model : nameOf(model);
  const asked = normalise({
    ...saved,
    ...withAbsolutePaths({ ...(earlier ? await withSavedValidation(rest, earlier.path) : rest), ...reading }),
    ...(named !== undefined && { model: named }),
    ...(start !== undefined && withAbsolutePaths({ start: typeof start === 'object' ? OWN_START : start })),
  });
  if (saved) checkSame(saved, asked);
  checkReach(asked, options);
  const dataset = given ?? (await load(asked, signal));
  if (earlier) await checkSameData(earlier.path, dataset);
  const isOwn = !saved && asked.data !== undefined;
  const { config, note } = isOwn ? withDefaultPreset(asked, options, dataset) : { config: asked, note: undefined };
  const run = resolveRun(config, dataset, await networkOf(model, start, config, dataset));
  if (!earlier) checkNew(run);
  signal.throwIfAborted();
  return { run, note, how: { path: earlier?.path ?? out, earlier, allowMixed, validateEvery, test } };
}

/** Throws E_CONFIG for an option that would make it another run. */
function checkSame(saved: RunConfig, config: RunConfig): void {
  const [was, is] = [identityOf(saved), identityOf(config)];
  const name = Object.keys(is).find((key) => JSON.stringify(is[key]) !== JSON.stringify(was[key]));
  if (name !== undefined) throw changed(name);
}

const changed = (name: string): PseudolabelError =>
  new PseudolabelError(
    'E_CONFIG',
    `${name}: cannot be another in a run that is resumed`,
    'leave it out, or start a new run',
  );

/**
 * Returns how to load a data set again. A data set of arrays cannot be loaded again: its name takes the place of a
 * path.
 */
function optionsOf(dataset: Dataset | LoadedDataset): DataOptions {
  return 'options' in dataset ? dataset.options : { data: dataset.name };
}

export function loaded(config: RunConfig, signal: AbortSignal): Promise<Dataset> {
  const { data, format, labels, size, unlabelled, followLinks, skipBad, cache, workers } = config;
  return loadDataset(data, { format, labels, size, unlabelled, followLinks, skipBad, cache, workers, signal });
}

function refuseDataOptions(options: Readonly<Record<string, unknown>>): void {
  const idle = Object.keys(DATA_OPTIONS).find((name) => options[name] !== undefined);
  if (idle === undefined) return;
  const message = `${idle}: has no effect on a data set that is loaded already`;
  throw new PseudolabelError(
    'E_CONFIG',
    message,
    `give it to loadDataset(path, { ${idle} }), or give train() the path`,
  );
}

/** The prefix of the name of a model that the program itself made. Such a name is not a path. */
const OWN = 'own:';
const OWN_START = `${OWN}start`;

function nameOf(model: TrainOptions['model']): string | undefined {
  if (typeof model === 'object') return `${OWN}${model.name}`;
  return model === undefined ? undefined : String(withAbsolutePaths({ model }).model);
}

async function networkOf(
  given: TrainOptions['model'],
  start: TrainOptions['start'],
  config: RunConfig,
  dataset: Dataset,
): Promise<StartingNetwork | undefined> {
  if (given === undefined || typeof given === 'string') {
    if (config.model?.startsWith(OWN)) throw missing(config.model.slice(OWN.length), 'model');
    const own = typeof start === 'object' ? start.saved : undefined;
    if (config.start === OWN_START && !own) throw missing('which it started from', 'start');
    return networkFor(config, dataset, own);
  }
  if (start !== undefined)
    throw new PseudolabelError('E_CONFIG', 'start: a model of its own has its own weights', 'give one of the two');
  const { model, parameters } = await fromLayersModel(given as Tf.LayersModel);
  checkFit(given.name, model, dataset);
  return { model, parameters: config.fresh ? undefined : parameters };
}

const missing = (name: string, option: 'model' | 'start'): PseudolabelError =>
  new PseudolabelError(
    'E_MODEL',
    `the run began with a program's own model, ${name}`,
    `give it again: train({ resume, ${option} })`,
  );

function checkSteps(validateEvery: number): void {
  if (Number.isSafeInteger(validateEvery) && validateEvery >= 0) return;
  throw new PseudolabelError(
    'E_CONFIG',
    `validateEvery: ${validateEvery}`,
    'give a whole number of steps, or leave it out',
  );
}

/** Throws E_CONFIG for a network beside the user's own stages, which name theirs. */
function checkOwnStages({ preset, resume, ...options }: TrainOptions): void {
  if (preset !== 'custom' || resume !== undefined) return;
  const idle = (['model', 'hidden', 'members'] as const).find((name) => options[name] !== undefined);
  if (idle === undefined) return;
  const fix = 'leave it out: each stage has its network';
  throw new PseudolabelError('E_CONFIG', `${idle}: has no effect on stages of your own (preset custom)`, fix);
}

/** Throws E_CONFIG for what has no effect without a coordinator. */
function checkReach({ wire, fastSum }: RunConfig, { coordinator, ...options }: TrainOptions): void {
  if (fastSum) throw new PseudolabelError('E_CONFIG', 'fastSum: has no effect without MPI', 'leave it out');
  if (coordinator) return;
  const idle = wire === 'f32' ? NODE_OPTIONS.find((name) => options[name] !== undefined) : 'wire';
  if (idle === undefined || (idle === 'allowMixed' && options.resume !== undefined)) return;
  const fix = 'add the coordinator that listen() gives, or leave it out';
  throw new PseudolabelError('E_CONFIG', `${idle}: has no effect on the threads of one machine`, fix);
}

const NODE_OPTIONS = ['nodes', 'nodesTimeout', 'local', 'allowMixed'] as const;
