// Trains on a cluster: this machine, which coordinates and may compute, and the nodes that have joined. Steps are
// data-parallel (data-parallel.ts) or tensor-parallel (tensor-parallel.ts).

import { type Clock, SYSTEM_CLOCK } from '../../../src/clock.js';
import { type GradientCodecName, gradientCodecOf } from '../../../src/collectives/gradient-codec.js';
import type { Rows } from '../../../src/graph/rows.js';
import { isTensorParallel } from '../../../src/models/dense/tensor-blocks.js';
import type { Model } from '../../../src/models/model.js';
import type {
  DescribeResult,
  Description,
  NeighboursResult,
  PredictResult,
  PredictTask,
} from '../../../src/models/tasks.js';
import type { TensorStep } from '../../../src/models/tensor-tasks.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';
import type {
  ExecutorHealth,
  ForwardPass,
  Gradients,
  Ranges,
  ShardStep,
  TrainingState,
} from '../../../src/training/executor.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { DistributedExecutor } from '../distributed-executor.js';
import { closedError } from '../failures.js';
import { Admission, type AdmissionOptions } from './admission.js';
import { ClusterDataParallel } from './data-parallel.js';
import { BOUNDS } from './deadlines.js';
import { LocalMachine } from './local-machine.js';
import { type Machine, spread } from './machine.js';
import { Machines } from './machines.js';
import type { NodeChannel } from './requests.js';
import { type NodeNow, type PlannedStage, RunPosition } from './status.js';
import { type EndStep, StepTiming } from './step-timing.js';
import { ClusterTensorParallel } from './tensor-parallel.js';

export interface ClusterOptions extends Omit<AdmissionOptions, 'bounds' | 'clock'> {
  /** If false, this machine only coordinates, sums and updates. */
  readonly computes: boolean;
  /** Steps between two comparisons of the nodes' parameters. */
  readonly checksumEvery: number;
  /** The most tensor-parallel steps before the state of all tensor shards is fetched. */
  readonly fetchEvery?: number;
  /** The most bytes of a replay log of the steps since the last fetch. */
  readonly fetchBytes?: number;
  /** The codec of the sums and totals of gradients that are sent. */
  readonly wire: GradientCodecName;
  readonly bounds?: AdmissionOptions['bounds'];
  /** The clock for deadlines and the times of steps. */
  readonly clock?: Clock;
  /** The stages that the run trains. */
  readonly plan?: readonly PlannedStage[];
}

/**
 * So many steps make about 10 MB of replay log, and their replay takes about four seconds at most if one of two machines
 * is lost. About 48 MB of state are fetched each time.
 */
const FETCH_EVERY = 256;

/**
 * About 60 steps of an autoencoder with 256 rows, whose state is 110 MB. At this size, fetching the state sends as many
 * bytes as the steps do.
 */
const FETCH_BYTES = 64 * 2 ** 20;

export class ClusterExecutor extends DistributedExecutor {
  readonly machines: Machines;
  protected readonly tensors: ClusterTensorParallel;
  private readonly admission: Admission;
  private readonly dataParallel: ClusterDataParallel;
  private readonly stepTiming: StepTiming;
  private readonly position: RunPosition;
  private readonly machine: LocalMachine | undefined;

  constructor(local: ThreadExecutor, options: ClusterOptions) {
    super(local, 'nodes');
    const codec = gradientCodecOf(options.wire, local.arena);
    const { clock = SYSTEM_CLOCK, bounds = BOUNDS, plan = [] } = options;
    const { fetchEvery: steps = FETCH_EVERY, fetchBytes: bytes = FETCH_BYTES } = options;
    const rules = { ...options, bounds, clock };
    this.machine = options.computes ? new LocalMachine(local) : undefined;
    this.position = new RunPosition(clock, plan);
    this.stepTiming = new StepTiming(clock, (slowdownWarning) => options.listener.slower(slowdownWarning));
    this.machines = new Machines(this.machine, local.arena.shape, rules);
    this.admission = new Admission(this.machines, local.arena, codec, rules);
    this.tensors = new ClusterTensorParallel(this.machines, { steps, bytes });
    this.dataParallel = new ClusterDataParallel(local, this.machines, codec, options.checksumEvery);
  }

  get workers(): number {
    return this.machines.workers;
  }

  /** Admits the node at the other end of the channel, or refuses it. The node computes from the next phase on. */
  admit(channel: NodeChannel): Promise<void> {
    return this.admission.admit(channel, () => this.status());
  }

  status(): ClusterStatus {
    const nodes = [...this.machines.remotes].map(({ status }) => status);
    const { shards } = this.local.arena.shape;
    const { status: coordinator = null } = this.machine ?? {};
    return { coordinator, nodes, position: this.position.status, steps: this.steps, shards };
  }

  /** Returns what the nodes on other machines are doing. */
  activities(): NodeNow[] {
    return [...this.machines.remotes].map(({ name, activity }) => ({ name, doing: activity }));
  }

  health(): ExecutorHealth {
    return { lostWorkers: this.local.health().lostWorkers + this.machines.lostWorkers };
  }

  /** Resolves when no node has anything left to do. Then the last update is done too, which nothing else waits for. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.machines.remotes].map((node) => node.idle()));
  }

  protected async computeGradients(steps: readonly ShardStep[]): Promise<Gradients> {
    const first = steps[0]!;
    const end = this.begin(first, first.labelledBatch, first.unlabelled?.batch ?? 0);
    const round = this.dataParallel.round();
    const update: Gradients['update'] = async (optimizer) => {
      const { results, compute } = await this.dataParallel.update(round, first, optimizer, this.steps);
      end({ strategy: 'data', canBeTensor: isTensorParallel(first.model) }, () => compute);
      return results;
    };
    return { results: await round.compute(steps), update };
  }

  protected override async computeForward(step: TensorStep): Promise<ForwardPass> {
    const end = this.begin(step, step.labelledImages.length / this.local.arena.shape.pixels, step.unlabelledBatch);
    const pass = await super.computeForward(step);
    const backward: ForwardPass['backward'] = async (gradient) => {
      const results = await pass.backward(gradient);
      end({ strategy: 'tensor', canBeTensor: true }, (rows) => this.tensors.compute(rows));
      return results;
    };
    return { ...pass, backward };
  }

  protected predictRanges(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    return spread(
      ranges,
      (count) => this.machines.share(count),
      async (machine, part) => {
        const results = await machine.predict(model, set, part);
        for (const node of this.machines.remotes)
          if (set === 'unlabelled' && node !== machine) node.arenaSync.labelsChanged(part);
        return results;
      },
    );
  }

  protected describeRanges(description: Description, ranges: Ranges): Promise<DescribeResult[]> {
    return this.spread(ranges, (machine, part) => machine.graph.describe(description, part));
  }

  protected findNeighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]> {
    return this.spread(blocks, (machine, part) => machine.graph.neighbours(rows, neighbours, part));
  }

  private spread<R>(ranges: Ranges, work: (machine: Machine, part: Ranges) => Promise<R[]>): Promise<R[]> {
    return spread(ranges, (count) => this.machines.share(count), work);
  }

  protected overwritten(state: Partial<TrainingState>): void {
    if (state.parameters) this.dataParallel.forget();
    for (const node of this.machines.remotes) {
      if (state.parameters) node.forgetRounding();
      node.arenaSync.overwritten(state);
    }
  }

  /** Tells the nodes that the run is over. */
  protected end(): Promise<unknown> {
    this.stepTiming.endStage();
    const reason = closedError('nodes');
    const left = this.machines.close(reason);
    this.admission.close(reason);
    return Promise.all([left, this.local.close()]);
  }

  /** Begins a step with these numbers of rows, and returns the function that ends it. */
  private begin(
    { stage, step }: { readonly stage: number; readonly step: number },
    labelled: number,
    unlabelled: number,
  ) {
    const endPosition = this.position.begin(stage, step);
    const endTiming = this.stepTiming.begin({ stage, labelled, unlabelled });
    return (kind: Parameters<EndStep>[0], computeOf: Parameters<EndStep>[1]): void => {
      endPosition();
      endTiming(kind, computeOf, [...this.machines.remotes]);
    };
  }
}
