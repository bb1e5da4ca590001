// Records the training loop of train.ts: takes times and metrics, measures on the validation images, and saves
// checkpoints.
import { type Checkpoint, saveCheckpoint } from '../../src/checkpoint/checkpoint.js';
import { PseudolabelError } from '../../src/errors.js';
import type { SharesChoice } from '../../src/methods/class-balance.js';
import { methodOf } from '../../src/methods/methods.js';
import { membersOf } from '../../src/models/layers/model.js';
import type { SavedModel } from '../../src/models/saved-model.js';
import { accuracy } from '../../src/reporting/metrics.js';
import type { DoubtfulRecord } from '../../src/reporting/record.js';
import type { Stage } from '../../src/training/stage.js';
import type { Labelling } from '../dispatcher.js';
import type { SearchProgress } from '../propagation.js';
import type { Predictions, StepOutcome } from '../strategies/strategy.js';
import type { Observer, Position } from '../train.js';
import { membersMeasure, type Reconstructions, reconstructionsOf, TrueLabels } from './diagnostics.js';
import { identityOfRun } from './identity.js';
import { doubtfulOf } from './pictures.js';
import type { ResolvedRun, Session } from './resolved-run.js';
import type { Metric, Phase } from './result.js';
import type { RunDirectory } from './run-directory.js';

/**
 * If pseudo-labels are predicted at each step, they are never predicted for all images at once. So a stage samples them
 * about 20 times, 1,000 images each, before classes are balanced. This gives the shares to about a point, in less than
 * 1 % of the time of the steps between.
 */
const LOOKS_A_STAGE = 20;
const IMAGES_A_LOOK = 1000;

/** Is told what happens in a run. A listener has only the methods that it needs. */
export interface RunListener {
  stageBegins?(stage: Stage, firstStep: number, steps: number): void;
  measured?(metric: Metric): void;
  reconstructed?(reconstructions: Reconstructions): void;
  /** A search for neighbours among very many images goes on. */
  searching?(stage: Stage, progress: SearchProgress): void;
  /** Pseudo-labels were predicted. positions: those of the images among the unlabelled ones; undefined: all of them. */
  looked?(predictions: Predictions, positions?: Uint32Array): void;
  saved?(path: string): void;
  /** The run has ended. The model is the one that is saved, in f32. */
  trained?(model: SavedModel): void;
}

/** Returns a listener that tells each event to all listeners, in their order. */
export const together = (listeners: readonly RunListener[]): Required<RunListener> => ({
  stageBegins: (...told) => {
    for (const each of listeners) each.stageBegins?.(...told);
  },
  measured: (metric) => {
    for (const each of listeners) each.measured?.(metric);
  },
  reconstructed: (reconstructions) => {
    for (const each of listeners) each.reconstructed?.(reconstructions);
  },
  searching: (...told) => {
    for (const each of listeners) each.searching?.(...told);
  },
  looked: (...told) => {
    for (const each of listeners) each.looked?.(...told);
  },
  saved: (path) => {
    for (const each of listeners) each.saved?.(path);
  },
  trained: (model) => {
    for (const each of listeners) each.trained?.(model);
  },
});

export interface RunOptions {
  readonly directory: RunDirectory | undefined;
  readonly listener: RunListener;
  /** Saves a checkpoint and ends the run with E_INTERRUPTED. */
  readonly signal: AbortSignal;
  readonly resumeFrom: Checkpoint | undefined;
  /** Steps between two measurements on the validation images; 0: only at the end. */
  readonly validateEvery: number;
  /** If false, the test labels are not even read. */
  readonly test: boolean;
  /** Returns milliseconds, for checkpoints by time. Defaults to performance.now. */
  readonly now?: () => number;
}

/** What a run has counted so far. Checkpoints keep it. */
export interface Progress {
  steps: number;
  rows: number;
  seconds: Partial<Record<Phase, number>>;
  classShares?: SharesChoice;
}

export class Recorder implements Observer {
  readonly progress: Progress;
  private clock = performance.now();
  private lastSaved: Position | undefined;
  private lastSavedAt: number;
  private stageSteps = 0;
  /** Reconstructions that are not yet in the run directory. */
  private reconstructions: Reconstructions | undefined;
  private doubtful: DoubtfulRecord | undefined;
  private readonly trueLabels: TrueLabels;
  /** Workers lost in earlier runs of the session. */
  private readonly lostBefore: number;

  constructor(
    private readonly run: ResolvedRun,
    private readonly session: Session,
    private readonly options: RunOptions,
  ) {
    this.trueLabels = new TrueLabels(run.dataset, run.split);
    const before = options.resumeFrom?.progress as Progress | undefined;
    this.lastSaved = options.resumeFrom;
    this.lastSavedAt = this.now();
    this.lostBefore = session.dispatcher.health().lostWorkers;
    this.progress = before ? structuredClone(before) : { steps: 0, rows: 0, seconds: {} };
  }

  /** The number of workers lost since the run began or was resumed. */
  get lostWorkers(): number {
    return this.session.dispatcher.health().lostWorkers - this.lostBefore;
  }

  async beforeStep(position: Position): Promise<void> {
    const stage = this.run.stages[position.stage]!;
    const isDue = (every: number) => every > 0 && position.step > 0 && position.step % every === 0;
    await this.keep();
    if (this.options.signal.aborted) await this.interrupt(position);
    if (isDue(this.run.config.checkpointEvery) || this.isLongSinceSaved()) await this.save(position);
    if (
      isDue(this.options.validateEvery) &&
      this.run.split.validation.length > 0 &&
      !methodOf(stage.method).reconstructs
    ) {
      const { name } = stage;
      this.measured({ kind: 'validation', stage: name, step: position.step, accuracy: await this.validate(stage) });
    }
    if (position.step % Math.ceil(this.stageSteps / LOOKS_A_STAGE) === 0) await this.look(stage, position.step);
    this.clock = performance.now();
  }

  stageBegins(stage: Stage, position: Position, steps: number): void {
    this.stageSteps = steps;
    this.options.listener.stageBegins?.(stage, position.step, steps);
    this.clock = performance.now();
  }

  async searching(position: Position, progress: SearchProgress): Promise<void> {
    if (this.options.signal.aborted) await this.interrupt(position);
    this.options.listener.searching?.(this.run.stages[position.stage]!, progress);
  }

  afterLabelling(stage: Stage, step: number, labelling: Labelling): void {
    this.charge('labelling');
    this.measured({ kind: 'labels', stage: stage.name, step, ...this.trueLabels.measure(labelling) });
    this.options.listener.looked?.(labelling);
    if (!('graph' in stage.method)) return;
    const { dataset, split } = this.run;
    const known = (position: number) => this.trueLabels.judged(position);
    this.doubtful = doubtfulOf(stage, step, labelling, dataset, split.unlabelled, known);
  }

  sharesChosen(stage: Stage, step: number, choice: SharesChoice): void {
    this.progress.classShares = choice;
    this.measured({ kind: 'shares', stage: stage.name, step, ...choice });
  }

  async afterStep(
    stage: Stage,
    step: number,
    outcome: Omit<StepOutcome, 'statistics'> & { alpha: number },
  ): Promise<void> {
    this.charge(stage.name);
    this.progress.steps++;
    this.progress.rows += outcome.rows;
    this.measured({ kind: 'step', stage: stage.name, step, ...outcome });
    if (step < this.stageSteps - 1) return;
    if (methodOf(stage.method).reconstructs) await this.reconstruct(stage);
    await this.askMembers(stage, step);
  }

  /** Is called when the last stage is done. The parameters are those that will be saved. */
  async ended(stage: Stage): Promise<void> {
    await this.keep();
    await this.look(stage, this.stageSteps);
    this.clock = performance.now();
  }

  /** Returns the accuracy on the validation images with the current parameters. */
  async validate(stage: Stage): Promise<number> {
    const { classes } = await this.session.dispatcher.classify(stage.model, 'validation');
    const { labels } = this.run.dataset.train;
    return accuracy(
      classes,
      Uint16Array.from(this.run.split.validation, (row) => labels[row]!),
    );
  }

  /**
   * Measures a sample of pseudo-labels if they are predicted at each step. No step reads the stored ones then, so the
   * results stay the same.
   */
  private async look(stage: Stage, step: number): Promise<void> {
    if (!methodOf(stage.method).predicts(stage.method)) return;
    const labelling = await this.session.dispatcher.labelSome(stage.model, IMAGES_A_LOOK);
    const measures = this.trueLabels.measure(labelling, labelling.positions);
    this.measured({ kind: 'labels', stage: stage.name, step, ...measures });
    this.options.listener.looked?.(labelling, labelling.positions);
  }

  /** Runs now, because the next stage begins with other parameters. */
  private async reconstruct(stage: Stage): Promise<void> {
    const { parameters } = await this.session.dispatcher.read(stage.model);
    this.reconstructions = reconstructionsOf(stage, parameters, this.run.dataset, this.run.config.seed);
    this.options.listener.reconstructed?.(this.reconstructions);
  }

  private async keep(): Promise<void> {
    const { directory } = this.options;
    if (this.reconstructions) await directory?.keep('reconstructions.json', this.reconstructions);
    if (this.doubtful) await directory?.keep('doubtful.json', this.doubtful);
    this.reconstructions = undefined;
    this.doubtful = undefined;
  }

  /** Asks each network of an ensemble on its own, with the parameters that the stage ends with. */
  private async askMembers({ name: stage, model }: Stage, step: number): Promise<void> {
    if (model.kind !== 'layers' || membersOf(model) === 1) return;
    const { dataset, split } = this.run;
    const { parameters, average } = await this.session.dispatcher.read(model);
    const measure = await membersMeasure(model, average ?? parameters, dataset, split.unlabelled, this.trueLabels);
    this.measured({ kind: 'members', stage, step, ...measure });
  }

  private async interrupt(position: Position): Promise<never> {
    const { directory } = this.options;
    await this.save(position);
    throw new PseudolabelError(
      'E_INTERRUPTED',
      `interrupted before step ${position.step} of stage ${this.run.stages[position.stage]!.name}`,
      directory ? 'go on from there with --resume' : 'give the run a directory to keep it',
    );
  }

  private async save(position: Position): Promise<void> {
    const { directory, listener } = this.options;
    if (!directory || (this.lastSaved?.stage === position.stage && this.lastSaved.step === position.step)) return;
    await directory.flush();
    const { model } = this.run.stages[position.stage]!;
    const checkpoint: Checkpoint = {
      ...position,
      identity: identityOfRun(this.run),
      numerics: this.session.numerics,
      progress: structuredClone(this.progress) as unknown as Checkpoint['progress'],
      state: await this.session.dispatcher.read(model),
    };
    const path = await saveCheckpoint(directory.checkpoints, checkpoint, this.run.config.keepCheckpoints);
    listener.saved?.(path);
    this.lastSaved = position;
    this.lastSavedAt = this.now();
  }

  private isLongSinceSaved(): boolean {
    const { checkpointSeconds } = this.run.config;
    return checkpointSeconds > 0 && this.now() - this.lastSavedAt >= checkpointSeconds * 1000;
  }

  private now(): number {
    return this.options.now ? this.options.now() : performance.now();
  }

  private measured(metric: Metric): void {
    this.options.directory?.append(metric);
    this.options.listener.measured?.(metric);
  }

  /** Adds the time since the last event to a phase. */
  charge(phase: Phase): void {
    const now = performance.now();
    this.progress.seconds[phase] = (this.progress.seconds[phase] ?? 0) + (now - this.clock) / 1000;
    this.clock = now;
  }
}
