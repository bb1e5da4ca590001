// Owns one run from its first step to its result: what is saved, measured and told while the loop in train.ts goes on.

import { type Checkpoint, type Identity, saveCheckpoint } from '../src/checkpoint.js';
import { sha256OfParameters } from '../src/checksum.js';
import { identityOf, type RunConfig } from '../src/config.js';
import { PseudolabelError } from '../src/errors.js';
import { accuracy, classCounts, confusionMatrix } from '../src/metrics.js';
import { saveModel } from '../src/modelfile.js';
import { planOf } from '../src/plan.js';
import type { Stage } from '../src/stage.js';
import type { Labelling, StepOutcome } from './cluster.js';
import { LabelledSet } from './labelled.js';
import type { RunDirectory } from './rundir.js';
import { type Session, splitOf, taskOf } from './session.js';
import { type Observer, type Position, train } from './train.js';

export type Phase = Stage['name'] | 'labelling' | 'evaluation';

/** result.json: what a run came to. */
export interface RunResult {
  readonly scenario: RunConfig['scenario'];
  readonly preset: RunConfig['preset'];
  readonly seed: number;
  readonly split: RunConfig['split'];
  readonly splitSeed: number;
  readonly shards: number;
  readonly workers: number;
  readonly lostWorkers: number;
  readonly steps: number;
  /** Of training, without loading, saving and evaluation. */
  readonly seconds: number;
  readonly secondsByPhase: Readonly<Partial<Record<Phase, number>>>;
  /** Rows that went through a training step, by the seconds of training. */
  readonly imagesPerSecond: number;
  readonly validationAccuracy: number | undefined;
  readonly testAccuracy: number | undefined;
  /** confusion[label][predicted] on the test images. */
  readonly confusion: readonly (readonly number[])[] | undefined;
  readonly weightsSha256: string;
}

/** One line of metrics.jsonl. */
export type Metric =
  | ({
      readonly kind: 'step';
      readonly stage: Stage['name'];
      readonly step: number;
      readonly alpha: number;
    } & StepOutcome)
  | {
      readonly kind: 'labels';
      readonly stage: Stage['name'];
      readonly step: number;
      readonly perClass: readonly number[];
      readonly flips: number;
      readonly meanConfidence: number;
    }
  | { readonly kind: 'validation'; readonly stage: Stage['name']; readonly step: number; readonly accuracy: number };

/** What a person at a terminal may be shown. */
export interface RunListener {
  stageBegins(stage: Stage, firstStep: number, steps: number): void;
  measured(metric: Metric): void;
  saved(path: string): void;
}

export interface RunOptions {
  readonly directory: RunDirectory | undefined;
  readonly listener: RunListener;
  /** Saves a checkpoint and ends with E_INTERRUPTED. */
  readonly signal: AbortSignal;
  readonly resumeFrom: Checkpoint | undefined;
  /** Steps between two looks at the validation images; 0: only at the end. */
  readonly validateEvery: number;
  /** false: the test labels are not even read. */
  readonly test: boolean;
}

interface Progress {
  steps: number;
  rows: number;
  seconds: Partial<Record<Phase, number>>;
}

export const identityFor = (config: RunConfig, session: Session): Identity => ({
  config: { ...identityOf(config), stages: planOf(config, taskOf(config, session.dataset)) },
  seed: config.seed,
  shards: config.shards,
  dataSha256: session.dataset.sha256,
});

export async function runTraining(session: Session, config: RunConfig, options: RunOptions): Promise<RunResult> {
  const { dataset, cluster } = session;
  const split = splitOf(config, dataset);
  const stages = planOf(config, taskOf(config, dataset));
  const recorder = new Recorder(session, config, stages, split.validation, options);
  const labelled = new LabelledSet(dataset.train, dataset.pixels, split.labelled);
  const maxSteps = config.maxSteps ?? Number.POSITIVE_INFINITY;
  if (options.resumeFrom) cluster.write(options.resumeFrom.state);
  await train({ seed: config.seed, stages, labelled, maxSteps }, cluster, recorder, options.resumeFrom);
  return recorder.finish();
}

/** Listens to the loop: clocks, metrics, checkpoints. */
class Recorder implements Observer {
  private readonly progress: Progress;
  private clock = performance.now();
  private lastSaved: Position | undefined;

  constructor(
    private readonly session: Session,
    private readonly config: RunConfig,
    private readonly stages: readonly Stage[],
    private readonly validation: Uint32Array,
    private readonly options: RunOptions,
  ) {
    const before = options.resumeFrom?.progress as Progress | undefined;
    this.lastSaved = options.resumeFrom;
    this.progress = before ? structuredClone(before) : { steps: 0, rows: 0, seconds: {} };
  }

  async before(position: Position): Promise<void> {
    const { signal, validateEvery } = this.options;
    const { stage, step } = position;
    if (signal.aborted) {
      await this.save(position);
      const fix = this.options.directory
        ? `go on with: pseudolabel train --resume ${this.options.directory.path}`
        : 'give the run a directory to keep it';
      throw new PseudolabelError('E_INTERRUPTED', `interrupted before step ${step} of stage ${stage}`, fix);
    }
    if (step > 0 && step % this.config.checkpointEvery === 0) await this.save(position);
    const predicts = this.stages[stage]!.denoising === undefined;
    if (predicts && validateEvery > 0 && step % validateEvery === 0 && step > 0 && this.validation.length > 0) {
      this.measured({
        kind: 'validation',
        stage: this.stages[stage]!.name,
        step,
        accuracy: await this.validate(stage),
      });
    }
    this.clock = performance.now();
  }

  stageBegins(stage: Stage, position: Position, steps: number): void {
    this.options.listener.stageBegins(stage, position.step, steps);
    this.clock = performance.now();
  }

  labelled(stage: Stage, step: number, { classes, confidences, flips }: Labelling): void {
    this.charge('labelling');
    this.measured({
      kind: 'labels',
      stage: stage.name,
      step,
      perClass: classCounts(classes, this.session.dataset.classes),
      flips,
      meanConfidence: confidences.reduce((sum, each) => sum + each, 0) / confidences.length,
    });
  }

  stepped(stage: Stage, step: number, outcome: StepOutcome & { alpha: number }): void {
    this.charge(stage.name);
    this.progress.steps++;
    this.progress.rows += outcome.rows;
    this.measured({ kind: 'step', stage: stage.name, step, ...outcome });
  }

  async finish(): Promise<RunResult> {
    const { session, config, progress } = this;
    const { dataset, cluster } = session;
    const { model } = this.stages.at(-1)!;
    const { parameters } = cluster.read(model);
    const last = this.stages.length - 1;
    this.clock = performance.now();
    const validationAccuracy = this.validation.length > 0 ? await this.validate(last) : undefined;
    const predicted = this.options.test ? await cluster.classify(model, 'test') : undefined;
    this.charge('evaluation');
    const { evaluation: _, ...training } = progress.seconds;
    const seconds = Object.values(training).reduce((sum, each) => sum + each, 0);
    const { scenario, preset, seed, split, splitSeed, shards, workers } = config;
    const result: RunResult = {
      ...{ scenario, preset, seed, split, splitSeed, shards, workers },
      lostWorkers: cluster.health().lostWorkers,
      steps: progress.steps,
      seconds,
      secondsByPhase: progress.seconds,
      imagesPerSecond: progress.rows / seconds,
      validationAccuracy,
      testAccuracy: predicted && accuracy(predicted, dataset.test.labels),
      confusion: predicted && confusionMatrix(predicted, dataset.test.labels, dataset.classes),
      weightsSha256: sha256OfParameters(parameters),
    };
    await this.options.directory?.finish(result, (folder) =>
      saveModel(folder, model, parameters, { rows: dataset.rows, columns: dataset.columns, classes: dataset.classes }),
    );
    return result;
  }

  private async validate(stage: number): Promise<number> {
    const predicted = await this.session.cluster.classify(this.stages[stage]!.model, 'validation');
    const { labels } = this.session.dataset.train;
    return accuracy(
      predicted,
      Uint8Array.from(this.validation, (row) => labels[row]!),
    );
  }

  private async save(position: Position): Promise<void> {
    const { directory, listener } = this.options;
    if (!directory || (this.lastSaved?.stage === position.stage && this.lastSaved.step === position.step)) return;
    await directory.flush();
    const { model } = this.stages[position.stage]!;
    const checkpoint: Checkpoint = {
      ...position,
      updates: this.progress.steps,
      identity: identityFor(this.config, this.session),
      progress: structuredClone(this.progress) as unknown as Checkpoint['progress'],
      state: this.session.cluster.read(model),
    };
    listener.saved(await saveCheckpoint(directory.checkpoints, checkpoint, this.config.keepCheckpoints));
    this.lastSaved = position;
  }

  private measured(metric: Metric): void {
    this.options.directory?.append(metric);
    this.options.listener.measured(metric);
  }

  private charge(phase: Phase): void {
    const now = performance.now();
    this.progress.seconds[phase] = (this.progress.seconds[phase] ?? 0) + (now - this.clock) / 1000;
    this.clock = now;
  }
}
