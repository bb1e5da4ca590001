// Owns a node that is made of many: this machine's and those that have joined. The state of the run is in this machine's arena; the others
// mirror what they need of it. Phases are one after another: data-parallel steps (rows-fleet.ts), tensor parallel (sliced-fleet.ts), predictions.

import { type Clock, SYSTEM_CLOCK } from '../../../src/clock.js';
import { type GradientCodecName, gradientCodecOf } from '../../../src/collectives/gradient-codec.js';
import type { Executor, ExecutorHealth, ShardStep, TrainingState } from '../../../src/engine/executor.js';
import type {
  GradientResult,
  OptimizerStep,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../../../src/engine/tasks.js';
import type { Logits, TensorResult, TensorStep } from '../../../src/engine/tensor-tasks.js';
import { isTensorParallel } from '../../../src/models/dense/tensor-blocks.js';
import type { Model } from '../../../src/models/model.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';
import { VECTORS } from '../../../src/protocol/tensor-codec.js';
import { TensorPasses } from '../../../worker/tensor-steps.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { wasClosed } from '../failures.js';
import { ClusterDataParallel } from './data-parallel.js';
import { BOUNDS } from './deadlines.js';
import { LocalMember } from './local-member.js';
import { spread } from './member.js';
import { Members, type MembersOptions } from './members.js';
import type { NodeNow } from './node-activity.js';
import type { NodeChannel } from './requests.js';
import { type PlannedStage, RunPosition } from './run-position.js';
import { StepTiming } from './step-timing.js';
import { ClusterTensorParallel } from './tensor-parallel.js';

export interface ClusterOptions extends Omit<MembersOptions, 'bounds' | 'clock'> {
  /** false: this machine only coordinates, sums and updates. */
  readonly computes: boolean;
  /** Steps between two comparisons of the nodes' parameters. */
  readonly checksumEvery: number;
  /** Tensor-parallel steps after which at the latest the state of all slices is fetched. */
  readonly mirrorEvery?: number;
  /** The same for the bytes of a journal of the steps since. */
  readonly mirrorBytes?: number;
  /** How sums and totals travel. */
  readonly wire: GradientCodecName;
  readonly bounds?: MembersOptions['bounds'];
  /** By which deadlines are kept, and steps judged. */
  readonly clock?: Clock;
  /** What the run trains. */
  readonly plan?: readonly PlannedStage[];
}

/** 10 MB of journal, and a pause of some four seconds at most where one of two members is lost; 48 MB are fetched as often. */
const MIRROR_EVERY = 256;

/** 60 steps of an autoencoder with 256 rows, whose state is 110 MB: fetching it moves as much as the steps do. */
const MIRROR_BYTES = 64 * 2 ** 20;

export class ClusterExecutor implements Executor {
  readonly name = 'fleet';
  readonly writesInPlace: boolean;
  readonly members: Members;
  private readonly tensor: ClusterTensorParallel;
  private readonly wholeSteps: TensorPasses;
  private readonly rows: ClusterDataParallel;
  private readonly stepTiming: StepTiming;
  private readonly position: RunPosition;
  private readonly member: LocalMember | undefined;
  private steps = 0;
  private phase: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly local: ThreadExecutor,
    options: ClusterOptions,
  ) {
    this.writesInPlace = local.writesInPlace;
    const wire = gradientCodecOf(options.wire, local.arena);
    const { clock = SYSTEM_CLOCK, bounds = BOUNDS, plan = [] } = options;
    this.member = options.computes ? new LocalMember(local) : undefined;
    this.position = new RunPosition(clock, plan);
    this.stepTiming = new StepTiming(clock, (slowdownWarning) => options.listener.slower(slowdownWarning));
    this.members = new Members(this.member, local.arena, wire, { ...options, bounds, clock });
    const { mirrorEvery: steps = MIRROR_EVERY, mirrorBytes: bytes = MIRROR_BYTES } = options;
    this.tensor = new ClusterTensorParallel(this.members, { steps, bytes });
    this.wholeSteps = new TensorPasses(local.arena, local.workers, this.tensor);
    this.rows = new ClusterDataParallel(local, this.members, wire, options.checksumEvery);
  }

  get workers(): number {
    return this.members.workers;
  }

  /** Gives whoever is at the other end of the channel a place, if they may have one. They compute from the next phase on. */
  admit(channel: NodeChannel): Promise<void> {
    return this.members.admit(channel, () => this.status());
  }

  status(): ClusterStatus {
    const nodes = [...this.members.remotes].map(({ status }) => status);
    const { shards } = this.local.arena.shape;
    const { status: coordinator = null } = this.member ?? {};
    return { coordinator, nodes, position: this.position.status, steps: this.steps, shards };
  }

  /** What the nodes on other machines are doing. */
  activities(): NodeNow[] {
    return [...this.members.remotes].map(({ name, activity }) => ({ name, doing: activity }));
  }

  health(): ExecutorHealth {
    return { lostWorkers: this.local.health().lostWorkers + this.members.lostWorkers };
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    return this.alone(async () => {
      await this.tensor.ownership.release();
      const { stage, step, labelledBatch: labelled, unlabelled } = steps[0]!;
      this.position.begins(stage, step);
      this.stepTiming.begins({ stage, labelled, unlabelled: unlabelled?.batch ?? 0 });
      return this.rows.gradients(steps);
    });
  }

  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    return this.alone(async () => {
      this.steps++;
      const { results, compute } = await this.rows.update(model, shards, optimizer, this.steps);
      this.position.ended();
      this.stepTiming.ends({ strategy: 'data', isSliceable: isTensorParallel(model) }, () => compute, [
        ...this.members.remotes,
      ]);
      return results;
    });
  }

  forward(step: TensorStep): Promise<Logits> {
    return this.alone(() => {
      const { stage, unlabelledBatch: unlabelled, labelledImages } = step;
      this.position.begins(stage, step.step);
      this.stepTiming.begins({ stage, unlabelled, labelled: labelledImages.length / this.local.arena.shape.pixels });
      return this.wholeSteps.forward(step);
    });
  }

  backward(gradient: Float32Array): Promise<TensorResult[]> {
    return this.alone(async () => {
      this.steps++;
      const results = await this.wholeSteps.backward(gradient);
      this.position.ended();
      const computeOf = (rows: number) => this.tensor.compute(rows);
      this.stepTiming.ends({ strategy: 'tensor', isSliceable: true }, computeOf, [...this.members.remotes]);
      return results;
    });
  }

  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    return this.alone(async () => {
      await this.tensor.ownership.settle();
      return spread(
        ranges,
        (count) => this.members.share(count),
        async (member, part) => {
          const results = await member.predict(model, set, part);
          for (const node of this.members.remotes)
            if (set === 'unlabelled' && node !== member) node.arenaSync.labelsChanged(part);
          return results;
        },
      );
    });
  }

  read(parameters: number): Promise<TrainingState> {
    return this.alone(async () => {
      await this.tensor.ownership.settle();
      return this.local.read(parameters);
    });
  }

  write(state: Partial<TrainingState>): void {
    const given = VECTORS.filter((vector) => state[vector]);
    if (given.length > 0) this.tensor.ownership.overwritten(given.length === VECTORS.length);
    this.local.write(state);
    if (state.parameters) this.rows.forget();
    for (const node of this.members.remotes) {
      if (state.parameters) node.forgetRounding();
      node.arenaSync.overwritten(state);
    }
  }

  /** Resolves when no node has anything left to do: the last update, which nobody waits for, is made. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.members.remotes].map((node) => node.idle()));
  }

  /** Says to the nodes that the run is over; what is going on rejects with E_INTERRUPTED. */
  close(): Promise<void> {
    if (!this.closing) this.stepTiming.ended();
    this.closing ??= Promise.all([this.members.close(wasClosed('nodes')), this.local.close()]).then(() => undefined);
    return this.closing;
  }

  /** Phases are one after another. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.phase.then(() => {
      if (this.closing) throw wasClosed('nodes');
      return work();
    });
    this.phase = result.catch(() => undefined);
    return result;
  }
}
