// Does the work that is measured: blocks of steps of a preset's stages, by the training loop itself, on an executor
// whose calls are recorded.

import { clock } from '../../src/clock.js';
import type { Dataset } from '../../src/data/dataset.js';
import { loadDataset } from '../../src/data/load.js';
import type { DataOptions } from '../../src/data/options.js';
import type { Call } from '../../src/engine/timeline.js';
import { methodOf } from '../../src/methods/methods.js';
import { tensorShardCount } from '../../src/models/dense/tensor-layout.js';
import { denseOnly, initialParameters, outputsOf, parameterCount } from '../../src/models/models.js';
import type { Block, Mode } from '../../src/scaling/summary.js';
import { splitOf as accountFor, computing, together } from '../../src/scaling/time-split.js';
import { labellingTraffic, type Traffic, tensorParallelTraffic, trainingTraffic } from '../../src/scaling/traffic.js';
import { DEFAULT_LABELS_PER_CLASS, normalise, type STRATEGIES } from '../../src/training/config.js';
import type { Executor } from '../../src/training/executor.js';
import type { PRESETS } from '../../src/training/presets/presets.js';
import type { Stage } from '../../src/training/stage.js';
import { ThreadedDecoder } from '../../worker/decoder.js';
import type { ThreadExecutor } from '../../worker/thread-executor.js';
import { openThreads, strategiesFor } from '../compose.js';
import { Dispatcher } from '../dispatcher.js';
import { TracedExecutor } from '../executors/traced-executor.js';
import { LabelledSet } from '../labelled-set.js';
import { countsOf, type ResolvedRun, resolveRun } from '../runs/resolved-run.js';
import { type Observer, train } from '../train.js';
import type { Account } from './activity-record.js';

/** Several processes that compute together. This process coordinates them. */
export interface ProcessGroup {
  /** All of the processes, as one executor. */
  readonly executor: Executor;
  /** The number of bytes that the processes have sent to each other so far. */
  readonly wireBytes: number;
  /** Makes all processes record what they do from here on. */
  begin(): Promise<void>;
  /** Returns what each process did, when all have ended their work. Times are on the clock of this process. */
  accounts(began: number, ended: number): Promise<Account[]>;
}

export class Bench {
  private readonly calls: Call[] = [];
  private readonly dispatcher: Dispatcher;
  private prepared: Phase | undefined;

  private constructor(
    readonly workload: Workload,
    private readonly steps: number,
    private readonly labelled: LabelledSet,
    private readonly local: ThreadExecutor,
    /** If undefined, there are no other processes. */
    private readonly group: ProcessGroup | undefined,
  ) {
    const traced = group?.executor ?? new TracedExecutor(local, (call) => this.calls.push(call));
    const { run } = workload;
    const strategyFor = strategiesFor(traced, run, local);
    this.dispatcher = new Dispatcher(traced, run.config.shards, countsOf(run), strategyFor);
  }

  /**
   * Opens a bench. gather: finds the other processes. Throws the errors of loading the data, starting threads and
   * `gather`.
   */
  static async open(
    options: WorkloadOptions,
    setup: Setup,
    gather: (local: ThreadExecutor) => Promise<ProcessGroup>,
  ): Promise<Bench> {
    const dataset = await loadDataset({ ...options.reading, data: options.data }, { decoder: new ThreadedDecoder() });
    const workload = workloadOf(options, setup, dataset);
    const { split } = workload.run;
    const local = await openThreads([workload.run]);
    const labelled = new LabelledSet(dataset.train, split.labelled);
    const group = setup.others > 0 ? await gather(local) : undefined;
    return new Bench(workload, options.steps, labelled, local, group);
  }

  /** Measures a block. It has the same steps each time. */
  async measure(phase: Phase): Promise<Block> {
    if (phase !== this.prepared) this.prepare(phase);
    await this.group?.begin();
    this.calls.length = 0;
    const used = process.cpuUsage();
    const bytes = this.group?.wireBytes ?? 0;
    const began = clock();
    const rows = phase === 'label' ? await this.label() : await this.train(this.workload[phase]);
    const ended = clock();
    const { user, system } = process.cpuUsage(used);
    const steps = phase === 'label' ? 1 : this.steps;
    const accounted = this.group
      ? await accountOf(this.group, this.local.workers, began, ended)
      : accountOfCalls(this.calls, this.local.workers, began, ended, (user + system) / 1e3);
    const wireBytes = (this.group?.wireBytes ?? 0) - bytes;
    return { steps, rows, milliseconds: ended - began, wireBytes, ...accounted };
  }

  private prepare(phase: Phase): void {
    const { model } = phase === 'pretrain' ? this.workload.pretrain : this.workload.finetune;
    const zeros = new Float32Array(parameterCount(model));
    const parameters = initialParameters(model, this.workload.run.config.seed, 0);
    this.dispatcher.write({ parameters, firstMoment: zeros, secondMoment: zeros });
    this.prepared = phase;
  }

  private async label(): Promise<number> {
    return (await this.dispatcher.label(this.workload.finetune.model)).classes.length;
  }

  /**
   * Trains the last steps of a stage, in which pseudo-labels have their full weight. Returns the number of images in
   * these steps.
   */
  private async train(stage: Stage): Promise<number> {
    let rows = 0;
    const nothing = () => undefined;
    const observer: Observer = {
      beforeStep: async () => undefined,
      stageBegins: nothing,
      afterLabelling: nothing,
      sharesChosen: nothing,
      afterStep: (_, __, outcome) => {
        rows += outcome.rows;
      },
    };
    const { seed } = this.workload.run.config;
    const training = { seed, stages: [stage], labelled: this.labelled, maxSteps: stage.steps };
    const { method } = stage;
    const methodState = methodOf(method).begin(method, this.labelled.countsOf(outputsOf(stage.model)));
    await train(training, this.dispatcher, observer, { stage: 0, step: stage.steps - this.steps, methodState });
    return rows;
  }
}

type Accounted = Pick<Block, 'split' | 'splitError' | 'withoutCore'>;

function accountOfCalls(
  calls: readonly Call[],
  workers: number,
  began: number,
  ended: number,
  computed: number,
): Accounted {
  const { split, error } = accountFor({ workers, began, ended, calls });
  return { split, splitError: error, withoutCore: shareWithoutCore(computing(calls), computed) };
}

/** Returns the accounts of all processes together. */
async function accountOf(group: ProcessGroup, workers: number, began: number, ended: number): Promise<Accounted> {
  const accounts = await group.accounts(began, ended);
  const splits = accounts.map((each) => each.split);
  const { split, error } = together(splits, accounts.length * workers * (ended - began));
  const sum = (of: 'inTasks' | 'computed') => accounts.reduce((total, account) => total + account[of], 0);
  return { split, splitError: error, withoutCore: shareWithoutCore(sum('inTasks'), sum('computed')) };
}

/**
 * Returns the share of time in tasks without a core. inTasks: the time in tasks without waits. Work of other threads
 * counts as the workers' here, so the true share is larger.
 */
const shareWithoutCore = (inTasks: number, computed: number): number =>
  inTasks === 0 ? 0 : Math.max(0, 1 - computed / inTasks);

export const PHASES = ['finetune', 'label', 'pretrain'] as const;
export type Phase = (typeof PHASES)[number];

export interface WorkloadOptions {
  readonly mode: Mode;
  readonly preset: (typeof PRESETS)[number];
  /** How a step of training is split over the workers. */
  readonly strategy: (typeof STRATEGIES)[number];
  readonly hidden: number;
  /** The number of shards. It is the same for each setup, so that all compute the same. */
  readonly shards: number;
  readonly seed: number;
  /** Defaults to MNIST. */
  readonly data: string | undefined;
  /** How the data is read. Defaults to the options' defaults. */
  readonly reading?: Omit<DataOptions, 'data'> | undefined;
  /** Steps of a block of training. A block of labelling is one pass over the images. */
  readonly steps: number;
  /** If true, gradients of ranks are summed in MPI's own order. */
  readonly fastSum: boolean;
  /** The largest share of all setups. In weak scaling, this one uses all images. */
  readonly largest: number;
}

/** The processes of one candidate. */
export interface Setup {
  /** The number of workers of each of its processes. */
  readonly workers: number;
  /** The number of processes besides the first. */
  readonly others: number;
  /** In weak scaling, it does this many times the work of one worker, or of one process. */
  readonly share: number;
}

export interface Workload {
  /** The run. Its unlabelled images are the first ones of the data set. */
  readonly run: ResolvedRun;
  readonly finetune: Stage;
  readonly pretrain: Stage;
  readonly traffic: Readonly<Record<Phase, Traffic>>;
}

export function workloadOf(options: WorkloadOptions, { workers, share }: Setup, dataset: Dataset): Workload {
  const { mode, preset, strategy, hidden, shards, seed, data, reading, steps, fastSum, largest } = options;
  const factor = mode === 'weak' ? share : 1;
  // The number of labels grows with the work, so that an epoch has as many steps as before.
  const labelsPerClass = factor === 1 ? undefined : DEFAULT_LABELS_PER_CLASS * factor;
  const given = { preset, strategy, hidden, seed, ...reading, data, ...(fastSum && { fastSum }) };
  const whole = resolveRun(normalise({ scenario: 'dae', ...given, workers, shards, labelsPerClass }), dataset);
  const { count } = dataset.train;
  const images = mode === 'weak' ? Math.floor(count / largest) * share : count;
  const run: ResolvedRun = {
    ...whole,
    dataset: { ...dataset, test: undefined },
    split: { ...whole.split, unlabelled: whole.split.unlabelled.subarray(0, images) },
    stages: whole.stages.map((stage) => enlarged(stage, factor, steps)),
  };
  const finetune = run.stages.findLast(({ name }) => name === 'finetune')!;
  const pretrain = run.stages.findLast(({ name }) => name === 'pretrain')!;
  const trafficOf = (stage: Stage): Traffic =>
    run.strategies[run.stages.indexOf(stage)] === 'tensor'
      ? tensorParallelTraffic(stage, tensorShardCount(denseOnly(stage.model, 'cut into tensor shards'), shards))
      : trainingTraffic(stage, shards);
  const traffic = { finetune: trafficOf(finetune), pretrain: trafficOf(pretrain), label: labellingTraffic(images) };
  return { run, finetune, pretrain, traffic };
}

/** Makes every batch `factor` times as large, and the stage at least as long as is measured. */
function enlarged(stage: Stage, factor: number, steps: number): Stage {
  return {
    ...stage,
    steps: Math.max(stage.steps, steps),
    labelledBatch: stage.labelledBatch * factor,
    method: 'batch' in stage.method ? { ...stage.method, batch: stage.method.batch * factor } : stage.method,
  };
}
