// Trains one run from its first step to its result.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { sha256OfParameters } from '../../src/checksum.js';
import { type Dataset, knownCount } from '../../src/data/dataset.js';
import { nativeBinding } from '../../src/engine/tensorflow.js';
import { built } from '../../src/files/read.js';
import type { Model } from '../../src/models/model.js';
import { needsTensorFlow } from '../../src/models/models.js';
import { type ModelMeta, saveModel } from '../../src/models/saved-model.js';
import { confusionMatrix } from '../../src/reporting/confusion.js';
import { accuracy } from '../../src/reporting/metrics.js';
import { numbersOf } from '../../src/reporting/numbers.js';
import { rampOf } from '../../src/training/alpha-ramp.js';
import { LabelledSet } from '../labelled-set.js';
import { train } from '../train.js';
import { mistakesOf } from './diagnostics.js';
import { viewsOf } from './pictures.js';
import { Recorder, type RunOptions, together } from './recorder.js';
import type { ResolvedRun, Session } from './resolved-run.js';
import type { Machine, RunData, RunResult } from './result.js';
import { TensorBoard } from './tensorboard.js';

/**
 * Trains a run and returns its result. Throws the errors of train(), E_INTERRUPTED if options.signal aborts, and
 * E_OUTPUT.
 */
export async function runTraining(run: ResolvedRun, session: Session, options: RunOptions): Promise<RunResult> {
  const { config, dataset, split, stages, maxSteps } = run;
  const { dispatcher } = session;
  const from = options.resumeFrom ?? { stage: 0, step: 0 };
  const tensorBoard =
    options.directory &&
    new TensorBoard(options.directory.path, stages, dataset.classNames, maxSteps, from, hparamsOf(run));
  const listener = tensorBoard ? together([options.listener, tensorBoard]) : options.listener;
  const recorder = new Recorder(run, session, { ...options, listener });
  await options.directory?.keep('data.json', dataOf(run));
  const views = viewsOf(run);
  if (views) await options.directory?.keep('views.json', views);
  const labelled = new LabelledSet(dataset.train, split.labelled);
  dispatcher.write(options.resumeFrom?.state ?? noLabels(split.unlabelled.length));
  try {
    const { height, width, channels } = dataset;
    const training = {
      seed: config.seed,
      stages,
      labelled,
      maxSteps,
      parameters: run.parameters,
      images: { height, width, channels },
      unlabelled: split.unlabelled,
    };
    await train(training, dispatcher, recorder, options.resumeFrom);
    const result = await finish(run, session, options, recorder);
    tensorBoard?.ended(result);
    return result;
  } finally {
    try {
      await tensorBoard?.close();
    } finally {
      await options.directory?.close();
    }
  }
}

/** Returns the columns of a run in TensorBoard's table of hyper-parameters. */
function hparamsOf({ config, stages }: ResolvedRun): Record<string, number | string | boolean> {
  const { scenario, preset, quick, seed, split, splitSeed, hidden, shards } = config;
  const numbers = stages.flatMap(({ name, model: _, ...settings }) => numbersOf(name, settings));
  return { scenario, preset, quick, seed, split, splitSeed, hidden, shards, ...Object.fromEntries(numbers) };
}

function dataOf({ dataset, split }: ResolvedRun): RunData {
  const { name, sha256, classNames, height, width, channels, train, test } = dataset;
  return {
    name,
    sha256,
    classNames,
    size: { height, width, channels },
    images: {
      train: train.count,
      known: knownCount(train.labels),
      labelled: split.labelled.length,
      validation: split.validation.length,
      test: test?.count ?? 0,
    },
  };
}

const metaOf = ({ name, height, width, channels, classNames }: Dataset): ModelMeta => ({
  rows: height,
  columns: width,
  channels,
  classes: classNames.length,
  classNames,
  data: name,
});

/** An empty state, so that `flips` of the first pseudo-labels does not count those of another run. */
const noLabels = (count: number) => ({ pseudoLabels: new Uint16Array(count), confidences: new Float32Array(count) });

async function finish(
  { config, dataset, stages }: ResolvedRun,
  { dispatcher, job, numerics }: Session,
  options: RunOptions,
  recorder: Recorder,
): Promise<RunResult> {
  const stage = stages.at(-1)!;
  const { model } = stage;
  await recorder.ended(stage);
  const { steps, rows, seconds: secondsByPhase } = recorder.progress;
  const { parameters } = await dispatcher.read(model);
  const seconds = Object.values(secondsByPhase).reduce((sum, each) => sum + each, 0);
  const validationAccuracy = config.validation > 0 ? await recorder.validate(stage) : undefined;
  const test = options.test ? dataset.test : undefined;
  const predicted = test && (await dispatcher.classify(model, 'test'));
  recorder.charge('evaluation');
  const { scenario, method, preset, seed, split, splitSeed, shards, workers, wire } = config;
  const result: RunResult = {
    ...(method && { method }),
    scenario,
    preset,
    seed,
    split,
    splitSeed,
    shards,
    workers,
    wire,
    job,
    lostWorkers: recorder.lostWorkers,
    ramp: stages.map((each) => rampOf(each, config.maxSteps)).find((ramp) => ramp !== undefined),
    classShares: recorder.progress.classShares,
    steps,
    seconds,
    secondsByPhase,
    imagesPerSecond: rows / seconds,
    validationAccuracy,
    testAccuracy: predicted && accuracy(predicted.classes, test.labels),
    confusion: predicted && confusionMatrix(predicted.classes, test.labels, dataset.classes),
    classNames: dataset.classNames,
    weightsSha256: sha256OfParameters(parameters),
  };
  await options.directory?.keep('machine.json', machineHere(numerics, model));
  if (predicted) await options.directory?.keep('mistakes.json', mistakesOf(predicted, dataset, test));
  const meta = metaOf(dataset);
  await options.directory?.finish(result, (folder) => saveModel(folder, model, parameters, meta));
  options.listener.trained?.({ model, parameters, meta });
  return result;
}

/**
 * Returns what a report says of the machine and the versions. It contains nothing that identifies the machine or its
 * user.
 */
function machineHere(numerics: string, model: Model): Machine {
  return {
    pseudolabel: versionIn(built('../package.json')),
    node: process.versions.node,
    ...(needsTensorFlow(model) && tensorFlowVersions()),
    platform: `${process.platform}-${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    numerics,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    ended: new Date().toISOString(),
  };
}

const tensorFlowVersions = () => ({
  tfjsNode: versionIn(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json')),
  tensorflow: nativeBinding().TF_Version ?? 'unknown',
});

const versionIn = (path: string | URL): string =>
  (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
