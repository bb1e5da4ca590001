// Owns what a contestant does when it is measured: a block of the workload, by the training loop itself, on a node that is watched.

import { clock } from '../../src/clock.js';
import { loadDataset } from '../../src/data/sources/load.js';
import type { Executor } from '../../src/engine/executor.js';
import type { Call } from '../../src/engine/timeline.js';
import { methodOf } from '../../src/methods/methods.js';
import { initialParameters, layoutOf } from '../../src/models/model.js';
import type { Block } from '../../src/scaling/summary.js';
import { splitOf as accountFor, computing, together } from '../../src/scaling/time-split.js';
import type { Stage } from '../../src/training/stage.js';
import type { ThreadExecutor } from '../../worker/thread-executor.js';
import { openThreads, strategiesFor } from '../compose.js';
import { Dispatcher } from '../dispatcher.js';
import { TracedExecutor } from '../executors/traced-executor.js';
import { LabelledSet } from '../labelled-set.js';
import { countsOf } from '../runs/resolved-run.js';
import { type Observer, train } from '../train.js';
import type { Account } from './activity-record.js';
import { type Contestant, type Phase, type Workload, type WorkloadOptions, workloadOf } from './workload.js';

/** A contestant of several processes, which this one coordinates. */
export interface Company {
  /** All of them as one node. */
  readonly node: Executor;
  /** Bytes that went between the processes so far. */
  readonly wireBytes: number;
  /** From here on all note what they do. */
  begin(): Promise<void>;
  /** What each process did, once none has anything left to do. Times on the clock of this one. */
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
    private readonly node: ThreadExecutor,
    /** undefined: no other processes. */
    private readonly company: Company | undefined,
  ) {
    const traced = company?.node ?? new TracedExecutor(node, (call) => this.calls.push(call));
    const { run } = workload;
    const strategyFor = strategiesFor(traced, run, node);
    this.dispatcher = new Dispatcher(traced, run.config.shards, countsOf(run), strategyFor);
  }

  /** Throws what loading the data, creating a node and `gather`, which finds the other processes, throw. */
  static async open(
    options: WorkloadOptions,
    contestant: Contestant,
    gather: (local: ThreadExecutor) => Promise<Company>,
  ): Promise<Bench> {
    const dataset = await loadDataset({ folder: options.data });
    const workload = workloadOf(options, contestant, dataset);
    const { split } = workload.run;
    const node = await openThreads([workload.run]);
    const labelled = new LabelledSet(dataset.train, dataset.pixels, split.labelled);
    const company = contestant.others > 0 ? await gather(node) : undefined;
    return new Bench(workload, options.steps, labelled, node, company);
  }

  /** The same steps each time. */
  async measure(phase: Phase): Promise<Block> {
    if (phase !== this.prepared) this.prepare(phase);
    await this.company?.begin();
    this.calls.length = 0;
    const used = process.cpuUsage();
    const bytes = this.company?.wireBytes ?? 0;
    const began = clock();
    const rows = phase === 'label' ? await this.label() : await this.train(this.workload[phase]);
    const ended = clock();
    const { user, system } = process.cpuUsage(used);
    const steps = phase === 'label' ? 1 : this.steps;
    const accounted = this.company
      ? await accountOf(this.company, this.node.workers, began, ended)
      : accountOfCalls(this.calls, this.node.workers, began, ended, (user + system) / 1e3);
    const wireBytes = (this.company?.wireBytes ?? 0) - bytes;
    return { steps, rows, milliseconds: ended - began, wireBytes, ...accounted };
  }

  private prepare(phase: Phase): void {
    const { model } = phase === 'pretrain' ? this.workload.pretrain : this.workload.finetune;
    const zeros = new Float32Array(layoutOf(model).length);
    const parameters = initialParameters(model, this.workload.run.config.seed, 0);
    this.dispatcher.write({ parameters, firstMoment: zeros, secondMoment: zeros });
    this.prepared = phase;
  }

  private async label(): Promise<number> {
    return (await this.dispatcher.label(this.workload.finetune.model)).classes.length;
  }

  /** The last steps of a stage, where pseudo-labels have their full weight. Returns the images that went through. */
  private async train(stage: Stage): Promise<number> {
    let rows = 0;
    const nothing = () => undefined;
    const observer: Observer = {
      before: async () => undefined,
      stageBegins: nothing,
      labelled: nothing,
      sharesChosen: nothing,
      stepped: (_, __, outcome) => {
        rows += outcome.rows;
      },
    };
    const { seed } = this.workload.run.config;
    const training = { seed, stages: [stage], labelled: this.labelled, maxSteps: stage.steps };
    const { method } = stage;
    const methodState = methodOf(method).begin(method, this.labelled.countsOf(stage.model.layers.at(-1)!.units));
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

/** Of all processes, each by its own notes. */
async function accountOf(company: Company, workers: number, began: number, ended: number): Promise<Accounted> {
  const accounts = await company.accounts(began, ended);
  const splits = accounts.map((each) => each.split);
  const { split, error } = together(splits, accounts.length * workers * (ended - began));
  const sum = (of: 'inTasks' | 'computed') => accounts.reduce((total, account) => total + account[of], 0);
  return { split, splitError: error, withoutCore: shareWithoutCore(sum('inTasks'), sum('computed')) };
}

/**
 * inTasks: without what they waited for others. What other threads computed meanwhile counts as the workers' here, so that the true share
 * is larger.
 */
const shareWithoutCore = (inTasks: number, computed: number): number =>
  inTasks === 0 ? 0 : Math.max(0, 1 - computed / inTasks);
