// Owns a node that is made of many: this machine's and those that have joined. The state of the run is in this machine's arena; the others
// mirror what they need of it. Phases are one after another: steps by rows (rows-fleet.ts), by hidden units (sliced-fleet.ts), predictions.
import type { TrainingState } from '../../src/checkpoint.js';
import { type Clock, SYSTEM_CLOCK } from '../../src/clock.js';
import type { Model } from '../../src/engine/model.js';
import { isSliceable } from '../../src/engine/pairs.js';
import { type WireName, wireOf } from '../../src/engine/wire.js';
import type { Node, NodeHealth, ShardStep } from '../../src/protocol/node.js';
import { VECTORS } from '../../src/protocol/slice-state.js';
import type { Logits, SlicedStep, SliceResult } from '../../src/protocol/slices.js';
import type { FleetStatus } from '../../src/protocol/status.js';
import type {
  GradientResult,
  OptimizerStep,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../../src/protocol/tasks.js';
import type { LocalNode } from '../../worker/node.js';
import { WholeSteps } from '../../worker/whole-steps.js';
import { wasClosed } from '../failures.js';
import type { NodeNow } from './activity.js';
import { BOUNDS } from './deadlines.js';
import { LocalMember } from './local-member.js';
import { spread } from './member.js';
import { Members, type MembersOptions } from './members.js';
import { Pace } from './pace.js';
import { type PlannedStage, RunPosition } from './position.js';
import type { NodeChannel } from './requests.js';
import { RowsFleet } from './rows-fleet.js';
import { SlicedFleet } from './sliced-fleet.js';

export interface FleetOptions extends Omit<MembersOptions, 'bounds' | 'clock'> {
  /** false: this machine only coordinates, sums and updates. */
  readonly computes: boolean;
  /** Steps between two comparisons of the nodes' parameters. */
  readonly checksumEvery: number;
  /** Steps by hidden units after which at the latest the state of all slices is fetched. */
  readonly mirrorEvery?: number;
  /** The same for the bytes of a journal of the steps since. */
  readonly mirrorBytes?: number;
  /** How sums and totals travel. */
  readonly wire: WireName;
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

export class Fleet implements Node {
  readonly name = 'fleet';
  readonly writesInPlace: boolean;
  readonly members: Members;
  private readonly sliced: SlicedFleet;
  private readonly wholeSteps: WholeSteps;
  private readonly rows: RowsFleet;
  private readonly pace: Pace;
  private readonly position: RunPosition;
  private readonly member: LocalMember | undefined;
  private steps = 0;
  private phase: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly local: LocalNode,
    options: FleetOptions,
  ) {
    this.writesInPlace = local.writesInPlace;
    const wire = wireOf(options.wire, local.arena);
    const { clock = SYSTEM_CLOCK, bounds = BOUNDS, plan = [] } = options;
    this.member = options.computes ? new LocalMember(local) : undefined;
    this.position = new RunPosition(clock, plan);
    this.pace = new Pace(clock, (verdict) => options.listener.slower(verdict));
    this.members = new Members(this.member, local.arena, wire, { ...options, bounds, clock });
    const { mirrorEvery: steps = MIRROR_EVERY, mirrorBytes: bytes = MIRROR_BYTES } = options;
    this.sliced = new SlicedFleet(this.members, { steps, bytes });
    this.wholeSteps = new WholeSteps(local.arena, local.workers, this.sliced);
    this.rows = new RowsFleet(local, this.members, wire, options.checksumEvery);
  }

  get workers(): number {
    return this.members.workers;
  }

  /** Gives whoever is at the other end of the channel a place, if they may have one. They compute from the next phase on. */
  admit(channel: NodeChannel): Promise<void> {
    return this.members.admit(channel, () => this.status());
  }

  status(): FleetStatus {
    const nodes = [...this.members.remotes].map(({ status }) => status);
    const { shards } = this.local.arena.shape;
    const { status: coordinator = null } = this.member ?? {};
    return { coordinator, nodes, position: this.position.status, steps: this.steps, shards };
  }

  /** What the nodes on other machines are doing. */
  activities(): NodeNow[] {
    return [...this.members.remotes].map(({ name, activity }) => ({ name, doing: activity }));
  }

  health(): NodeHealth {
    return { lostWorkers: this.local.health().lostWorkers + this.members.lostWorkers };
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    return this.alone(async () => {
      await this.sliced.holdings.release();
      const { stage, step, labelledBatch: labelled, unlabelled } = steps[0]!;
      this.position.begins(stage, step);
      this.pace.begins({ stage, labelled, unlabelled: unlabelled?.batch ?? 0 });
      return this.rows.gradients(steps);
    });
  }

  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    return this.alone(async () => {
      this.steps++;
      const { results, compute } = await this.rows.update(model, shards, optimizer, this.steps);
      this.position.ended();
      this.pace.ends({ strategy: 'data', isSliceable: isSliceable(model) }, () => compute, [...this.members.remotes]);
      return results;
    });
  }

  forward(step: SlicedStep): Promise<Logits> {
    return this.alone(() => {
      const { stage, unlabelledBatch: unlabelled, labelledImages } = step;
      this.position.begins(stage, step.step);
      this.pace.begins({ stage, unlabelled, labelled: labelledImages.length / this.local.arena.shape.pixels });
      return this.wholeSteps.forward(step);
    });
  }

  backward(gradient: Float32Array): Promise<SliceResult[]> {
    return this.alone(async () => {
      this.steps++;
      const results = await this.wholeSteps.backward(gradient);
      this.position.ended();
      const computeOf = (rows: number) => this.sliced.compute(rows);
      this.pace.ends({ strategy: 'hidden', isSliceable: true }, computeOf, [...this.members.remotes]);
      return results;
    });
  }

  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    return this.alone(async () => {
      await this.sliced.holdings.settle();
      return spread(
        ranges,
        (count) => this.members.share(count),
        async (member, part) => {
          const results = await member.predict(model, set, part);
          for (const node of this.members.remotes)
            if (set === 'unlabelled' && node !== member) node.replica.labelsChanged(part);
          return results;
        },
      );
    });
  }

  read(parameters: number): Promise<TrainingState> {
    return this.alone(async () => {
      await this.sliced.holdings.settle();
      return this.local.read(parameters);
    });
  }

  write(state: Partial<TrainingState>): void {
    const given = VECTORS.filter((vector) => state[vector]);
    if (given.length > 0) this.sliced.holdings.overwritten(given.length === VECTORS.length);
    this.local.write(state);
    if (state.parameters) this.rows.forget();
    for (const node of this.members.remotes) {
      if (state.parameters) node.forgetRounding();
      node.replica.overwritten(state);
    }
  }

  /** Resolves when no node has anything left to do: the last update, which nobody waits for, is made. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.members.remotes].map((node) => node.idle()));
  }

  /** Says to the nodes that the run is over; what is going on rejects with E_INTERRUPTED. */
  close(): Promise<void> {
    if (!this.closing) this.pace.ended();
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
