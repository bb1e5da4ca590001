// Trains one run for a program: options in, events while it goes on, and at its end the model.
import type * as Tf from '@tensorflow/tfjs-node';
import type { Dataset } from '../../src/data/dataset.js';
import { DATA_OPTIONS, type DataOptions } from '../../src/data/options.js';
import { pixelNotes } from '../../src/data/summary.js';
import { PseudolabelError } from '../../src/errors.js';
import { fromLayersModel } from '../../src/models/layers-model.js';
import { identityOf, normalise, type Options, type RunConfig } from '../../src/training/config.js';
import { lossOf } from '../../src/training/loss.js';
import type { Stage } from '../../src/training/stage.js';
import type { SearchProgress } from '../propagation.js';
import { located } from '../runs/located.js';
import { networkFor } from '../runs/network.js';
import type { RunListener } from '../runs/recorder.js';
import { changesOf, type ResolvedRun, resolveRun } from '../runs/resolved-run.js';
import type { Metric, RunResult } from '../runs/result.js';
import { checkNew, checkSameData, locate, savedConfig, withSavedValidation } from '../runs/resume.js';
import { RunDirectory } from '../runs/run-directory.js';
import { checkFit, type Network } from '../runs/start.js';
import { type Classifier, classifierOf, loadModel } from './classify.js';
import { type Coordinator, type NodeEvent, type NodeOptions, placeAt } from './cluster.js';
import { type LoadedDataset, loadDataset } from './data.js';
import { checkEnvironment } from './environment.js';
import { type Missed, type Observed, observed } from './events.js';
import { interruptible } from './interruption.js';
import { oneRun } from './one-run.js';
import type { TensorFlowModel } from './tensorflow-model.js';

/** The options of `pseudolabel train`, in camel case, and what only a program has. */
export interface TrainOptions extends Omit<Options, 'data' | 'model' | 'start'>, NodeOptions {
  /** A data set, or the path of one. Left out: MNIST. */
  readonly data?: Dataset | string | undefined;
  /** 'dense:1024,512', 'convnet', the path of a saved model, or a model: its weights are the start, unless `fresh` is true. */
  readonly model?: string | TensorFlowModel | undefined;
  /**
   * What was trained before: its weights are the start, and without `model` its network is trained. The folder of a model or a run, or what
   * `loadModel` gives, or the result of a run.
   */
  readonly start?: string | Pick<Classifier, 'saved'> | undefined;
  /** The run directory, which is made: it must be empty or not there. Left out: nothing is written, and a run that is stopped is lost. */
  readonly out?: string | undefined;
  /**
   * The directory of a run that was stopped, or one of its checkpoints: it goes on there, to the bits of a run that was never stopped.
   * Its options are in its directory; those given besides may not change what it learns, and a data set or model of the program's own
   * has to be given again.
   */
  readonly resume?: string | undefined;
  /** Where nodes join that compute the run as well (`listen`). Left out: the threads of this process compute it. */
  readonly coordinator?: Coordinator | undefined;
  /** Stops the run before its next step, with E_INTERRUPTED and, where there is a directory, a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** Steps between two looks at the validation images. Left out, or 0: only at the end. */
  readonly validateEvery?: number | undefined;
  /** false: the test images are not looked at. */
  readonly test?: boolean | undefined;
}

type StepMetric = Extract<Metric, { readonly kind: 'step' }>;

/** What happens in a run, in its order. */
export type RunEvent =
  /** The data is loaded, and the workers are there. Counts are numbers of images. */
  | {
      readonly kind: 'start';
      readonly labelled: number;
      readonly unlabelled: number;
      readonly validation: number;
      /** Threads. */
      readonly workers: number;
      /** What was assumed or left out when the data was loaded, and what has changed since a resumed run began; one sentence each. */
      readonly notes: readonly string[];
    }
  /** A stage begins at its step `firstStep`, from 0; it has `steps` in all. */
  | { readonly kind: 'stage'; readonly stage: Stage['name']; readonly firstStep: number; readonly steps: number }
  /** loss: what the step minimised, of the labelled and the unlabelled rows. */
  | (StepMetric & { readonly loss: number })
  /** labels, shares, validation, members: as in metrics.jsonl. */
  | Exclude<Metric, StepMetric>
  /** Neighbours are looked for among very many images: `done` from 0 to 1. */
  | ({ readonly kind: 'searching'; readonly stage: Stage['name'] } & SearchProgress)
  /** A checkpoint was saved at this path. */
  | { readonly kind: 'checkpoint'; readonly path: string }
  | NodeEvent;

/** A run that has ended: what it measured, and its model. */
export interface TrainResult extends RunResult, Classifier {
  /** On the test images, from 0 to 1. undefined: there are none, or `test` is false. */
  readonly accuracy: number | undefined;
}

/** A run that goes on by itself, whether anybody looks at it or not. Iterating over it tells its events; `result` rejects with a PseudolabelError. */
export type Run = Observed<RunEvent | Missed, TrainResult>;

/**
 * Trains on the threads of this machine, and of nodes where there is a coordinator, to the bits of `pseudolabel train` with the same options. One run at a time: while one goes
 * on, the program must not use TensorFlow.js, whose binding is not safe for that.
 * @throws PseudolabelError by its result: E_CONFIG, E_DATA_*, E_SPLIT_TOO_FEW, E_MODEL for what it is given; E_OUTPUT, E_LOCKED, E_CHECKPOINT_* and
 * E_NUMERICS for its directory; E_INTERRUPTED; E_NOT_FINITE, E_WORKER_LOST, E_MEMORY, E_TIMEOUT, E_NATIVE; with a coordinator
 * E_USAGE, E_NODES, E_DRIFT
 */
export function train(options: TrainOptions = {}): Run {
  return observed((tell) => interruptible(options.signal, (signal) => trained(options, tell, signal)));
}

type Tell = (event: RunEvent) => void;

async function trained(options: TrainOptions, tell: Tell, signal: AbortSignal): Promise<TrainResult> {
  checkEnvironment();
  const { data, model, start, out, resume, signal: _, validateEvery = 0, test = true, ...others } = options;
  const { coordinator, nodes, nodesTimeout, local, allowMixed = false, ...rest } = others;
  checkSteps(validateEvery);
  const earlier = resume === undefined ? undefined : await locate(resume);
  if (earlier && out !== undefined) throw changed('out');
  const done = earlier && (await RunDirectory.resultOf(earlier.path));
  if (done) return { ...done, ...(await loadModel(earlier.path)), accuracy: done.testAccuracy };
  const given = typeof data === 'object' ? data : undefined;
  if (given) refuseDataOptions(rest);
  const reading = given ? optionsOf(given) : data === undefined ? {} : { data };
  const saved = earlier && (await savedConfig(earlier.path));
  const named = typeof model === 'object' && saved?.model?.startsWith(OWN) ? saved.model : nameOf(model);
  const config = normalise({
    ...saved,
    ...located({ ...(earlier ? await withSavedValidation(rest, earlier.path) : rest), ...reading }),
    ...(named !== undefined && { model: named }),
    ...(start !== undefined && located({ start: typeof start === 'object' ? OWN_START : start })),
  });
  if (saved) checkSame(saved, config);
  checkReach(config, options);
  const dataset = given ?? (await loaded(config, signal));
  if (earlier) await checkSameData(earlier.path, dataset);
  const run = resolveRun(config, dataset, await networkOf(model, start, config, dataset));
  if (!earlier) checkNew(run);
  signal.throwIfAborted();
  const path = earlier?.path ?? out;
  const { result, trained } = await oneRun(run, {
    ...{ path, earlier, allowMixed, signal, validateEvery, test },
    place: coordinator && placeAt(coordinator, others, run, signal, tell),
    begins: async ({ dispatcher }) => {
      tell(startOf(run, dispatcher.workers));
      return listenerOf(tell);
    },
  });
  if (path !== undefined) await (await import('../report.js')).writeReport(path);
  // Now: no thread computes any more.
  return { ...result, ...(await classifierOf(trained)), accuracy: result.testAccuracy };
}

/** Throws E_CONFIG for an option that would make another run of it. */
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

/** How a data set is loaded again. One of arrays cannot be: its name takes the place of a path. */
function optionsOf(dataset: Dataset | LoadedDataset): DataOptions {
  return 'options' in dataset ? dataset.options : { data: dataset.name };
}

function loaded(config: RunConfig, signal: AbortSignal): Promise<Dataset> {
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

/** Before the name of a program's own model, which is no path. */
const OWN = 'own:';
const OWN_START = `${OWN}start`;

function nameOf(model: TrainOptions['model']): string | undefined {
  if (typeof model === 'object') return `${OWN}${model.name}`;
  return model === undefined ? undefined : String(located({ model }).model);
}

async function networkOf(
  given: TrainOptions['model'],
  start: TrainOptions['start'],
  config: RunConfig,
  dataset: Dataset,
): Promise<Network | undefined> {
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

/** Where its numbers have changed since it began, it goes on with its own. */
function startOf(run: ResolvedRun, workers: number): RunEvent {
  const { labelled, unlabelled, validation } = run.split;
  const counts = { labelled: labelled.length, unlabelled: unlabelled.length, validation: validation.length };
  const changes = changesOf(run).map((change) => `its numbers have changed since it began: ${change}`);
  return {
    kind: 'start',
    ...counts,
    workers,
    notes: [...(run.dataset.notes ?? []), ...pixelNotes(run.dataset.train), ...changes],
  };
}

/** Tells the events that a run directory keeps, too, and its own. */
function listenerOf(tell: Tell): RunListener {
  let current: Stage | undefined;
  return {
    stageBegins: (stage, firstStep, steps) => {
      current = stage;
      tell({ kind: 'stage', stage: stage.name, firstStep, steps });
    },
    measured: (metric) => tell(metric.kind === 'step' ? { ...metric, loss: lossOf(current!, metric) } : metric),
    searching: ({ name: stage }, progress) => tell({ kind: 'searching', stage, ...progress }),
    saved: (path) => tell({ kind: 'checkpoint', path }),
  };
}
