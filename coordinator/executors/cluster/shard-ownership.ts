// Records which machine owns which tensor shards, and makes sure that their state is never lost. The state is fetched
// from its owner. If that machine is lost, it is computed again from an earlier state in the coordinator's arena and the
// replay log of the steps since. The same steps in the same order give the same bits.

import { parameterCount } from '../../../src/models/models.js';
import type { TensorResult, TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';
import { areSame, assign, isWorthMoving, speedsOf } from '../assignment.js';
import { isSameCut, shardCountOf, type TensorCut } from '../tensor-cut.js';
import { type Machine, MachineLost, type MachinePass } from './machine.js';
import type { Machines } from './machines.js';
import { type DoneStep, ReplayLog } from './replay-log.js';

/**
 * The most steps by which the state here may be older than an owner's, which may have to be replayed. `bytes` is the
 * most bytes of a replay log of them.
 */
export interface FetchEvery {
  readonly steps: number;
  readonly bytes: number;
}

/** A machine, and the tensor shards that it owns. */
export interface OwnedPart extends TensorShardRange {
  readonly machine: Machine;
}

export class ShardOwnership {
  /** The parts of all machines that own tensor shards. */
  parts: readonly OwnedPart[] = [];
  private cut: TensorCut | undefined;
  private replayLog = new ReplayLog(0);
  /** The machines among which the tensor shards were shared; empty once one of them was lost. */
  private sharers: readonly Machine[] = [];
  /** The updates of the last step. */
  private updates: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly machines: Machines,
    private readonly fetchEvery: FetchEvery,
  ) {}

  /** Whether no machine has been lost since the tensor shards were shared. */
  get areWhole(): boolean {
    return this.sharers.length > 0;
  }

  async cutFor({ model, shards }: TensorStep): Promise<void> {
    const cut = { model, shards };
    if (isSameCut(cut, this.cut)) return;
    await this.release();
    this.cut = cut;
    this.replayLog = new ReplayLog(shardCountOf(cut));
  }

  /**
   * Resolves when the available machines own all tensor shards, all in the state after the last step. Throws E_NODES,
   * E_INTERRUPTED.
   */
  async share(): Promise<void> {
    for (;;) {
      const machines = await this.machines.present();
      if (areSame(machines, this.sharers)) return;
      await this.collect();
      this.dissolve();
      const ends = assign(shardCountOf(this.cut!), speedsOf(machines));
      this.parts = machines
        .map((machine, i) => ({ machine, first: ends[i - 1] ?? 0, end: ends[i]! }))
        .filter(({ first, end }) => first < end);
      try {
        if (!(await this.each(this.parts, (part) => this.take(part)))) continue;
        this.sharers = machines;
        return;
      } catch (error) {
        this.dissolve();
        throw error;
      }
    }
  }

  /**
   * Returns a result for each part, or undefined if a machine was lost. The part of a lost machine is dropped. Other
   * errors are thrown when all have ended.
   */
  async each<T>(parts: readonly OwnedPart[], work: (part: OwnedPart) => Promise<T>): Promise<T[] | undefined> {
    const settled = await Promise.allSettled(parts.map(work));
    const results: T[] = [];
    settled.forEach((outcome, i) => {
      if (outcome.status === 'fulfilled') results.push(outcome.value);
      else if (outcome.reason instanceof MachineLost) this.drop(parts[i]!);
      else throw outcome.reason;
    });
    return results.length === parts.length ? results : undefined;
  }

  /**
   * Has all owners update their tensor shards. Resolves to the results of the workers here; other machines update while
   * the next step begins.
   * @param passes the last passes of the step
   */
  async update(done: DoneStep, passes: ReadonlyMap<OwnedPart, MachinePass>): Promise<TensorResult[]> {
    const { parts } = this;
    this.replayLog.add(done);
    for (const { arenaSync } of this.machines.remotes) arenaSync.stateChanged(parameterCount(done.step.model));
    const values = done.given.at(-1)!;
    const updates = parts.map(async (part) => {
      const results = await this.each([part], () => passes.get(part)!.backward(values));
      return results?.flat() ?? [];
    });
    this.updates = Promise.all(updates);
    this.updates.catch(() => undefined);
    const here = await Promise.all(updates.filter((_, i) => parts[i]!.machine.tensorShards.isHere));
    for (const part of this.parts) if (part.machine.tensorShards.isHere) this.replayLog.arrived(part);
    await this.fetchIfDue();
    return here.flat();
  }

  /**
   * Ends the connection of the machine because of what it sent. Its tensor shards are computed again from the state and
   * the log here.
   */
  lose(part: OwnedPart, why: string): void {
    part.machine.tensorShards.lose(why);
    this.drop(part);
  }

  /** Resolves when the whole state is in the coordinator's arena. */
  async settle(): Promise<void> {
    await this.collect();
    while (!this.replayLog.isWhole()) {
      await this.share();
      await this.collect();
    }
  }

  /**
   * Resolves when the whole state is in the coordinator's arena and no machine owns a part of it, so that it may be
   * changed.
   */
  async release(): Promise<void> {
    await this.settle();
    this.dissolve();
  }

  /** Notes that the state here has been overwritten. Throws if only a part was, and the rest is at other machines. */
  overwritten(isWhole: boolean): void {
    if (!isWhole && !this.replayLog.isWhole()) throw new Error('a part of a state that is elsewhere was overwritten');
    this.dissolve();
    this.cut = undefined;
    this.replayLog = new ReplayLog(0);
  }

  /** Gives a machine the state of its part after the last step: the state here, and a replay of the steps since. */
  private async take({ machine, ...range }: OwnedPart): Promise<void> {
    await machine.tensorShards.take(this.cut!, range);
    for (const { steps, ...run } of this.replayLog.missing(range)) await machine.tensorShards.replay(steps, run);
    if (machine.tensorShards.isHere) this.replayLog.arrived(range);
  }

  /** Fetches the state of all owners that can still give it. */
  private async collect(): Promise<void> {
    await this.updates;
    const behind = this.parts.filter((part) => !this.replayLog.isWhole(part));
    await this.each(behind, async ({ machine, ...range }) => {
      await machine.tensorShards.give(this.cut!, range);
      this.replayLog.arrived(range);
    });
    for (const part of this.parts) if (part.machine.tensorShards.isLeaving) this.drop(part);
  }

  /** Fetches the state if enough steps have passed. Tensor shards are only moved when their state is here anyway. */
  private async fetchIfDue(): Promise<void> {
    const { steps, bytes } = this.fetchEvery;
    if (this.replayLog.length < steps && this.replayLog.bytes < bytes) return;
    await this.collect();
    const ends = this.parts.map(({ end }) => end);
    const isComplete = this.parts.length === this.sharers.length;
    if (isComplete && isWorthMoving(ends, speedsOf(this.sharers))) this.sharers = [];
  }

  private drop(part: OwnedPart): void {
    if (!this.parts.includes(part)) return;
    this.parts = this.parts.filter((other) => other !== part);
    this.sharers = [];
    part.machine.tensorShards.release();
  }

  private dissolve(): void {
    for (const { machine } of this.parts) machine.tensorShards.release();
    this.parts = [];
    this.sharers = [];
  }
}
