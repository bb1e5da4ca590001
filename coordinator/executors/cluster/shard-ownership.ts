// Owns who holds the state of which slices, and that it can always be had: fetched from who holds it, or, where that member is lost, made
// again from what the arena here has as of some step before, and a journal of the steps since: the same steps in the same order, so the
// same bits.

import type { TensorResult, TensorShardRange, TensorStep } from '../../../src/engine/tensor-tasks.js';
import { layoutOf } from '../../../src/models/model.js';
import { assign, isWorthMoving } from './assignment.js';
import { type Member, MemberLost } from './member.js';
import { type Members, speedsOf } from './members.js';
import { ReplayLog } from './replay-log.js';
import { type DoneStep, slicesOf, type TensorCut } from './tensor-shard-owner.js';

/** The most steps that the state of a slice is behind here, and that may have to be done again, and the bytes of a journal that has them. */
export interface MirrorEvery {
  readonly steps: number;
  readonly bytes: number;
}

/** A member and the slices that it holds. */
export interface Part extends TensorShardRange {
  readonly member: Member;
}

export class ShardOwnership {
  private cut: TensorCut | undefined;
  private replayLog = new ReplayLog(0);
  /** Of those who hold any. */
  parts: readonly Part[] = [];
  /** Among whom the slices were shared out; nobody, once one of them was lost. */
  private sharers: readonly Member[] = [];
  /** Of the last step. */
  private updates: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly members: Members,
    private readonly mirrorEvery: MirrorEvery,
  ) {}

  /** Nobody among whom the slices were shared out has been lost. */
  get areWhole(): boolean {
    return this.sharers.length > 0;
  }

  async cutFor({ model, shards }: TensorStep): Promise<void> {
    const cut = { model, shards };
    if (JSON.stringify(cut) === JSON.stringify(this.cut)) return;
    await this.release();
    this.cut = cut;
    this.replayLog = new ReplayLog(slicesOf(cut));
  }

  /** Resolves when all slices are held by those who are there, all of them as after the last step. Throws E_NODES, E_INTERRUPTED. */
  async share(): Promise<void> {
    for (;;) {
      const members = await this.members.present();
      if (isSame(members, this.sharers)) return;
      await this.collect();
      this.dissolve();
      this.parts = partsOf(members, slicesOf(this.cut!));
      try {
        if (!(await this.each(this.parts, (part) => this.take(part)))) continue;
        this.sharers = members;
        return;
      } catch (error) {
        this.dissolve();
        throw error;
      }
    }
  }

  /** A result for each part; undefined where a member was lost, whose part is dropped. Other errors are thrown when all have ended. */
  async each<T>(parts: readonly Part[], work: (part: Part) => Promise<T>): Promise<T[] | undefined> {
    const settled = await Promise.allSettled(parts.map(work));
    const results: T[] = [];
    settled.forEach((outcome, i) => {
      if (outcome.status === 'fulfilled') results.push(outcome.value);
      else if (outcome.reason instanceof MemberLost) this.drop(parts[i]!);
      else throw outcome.reason;
    });
    return results.length === parts.length ? results : undefined;
  }

  /** Has all who hold slices update them. Resolves to the results of the workers here; others update while the next step begins. */
  async update(done: DoneStep): Promise<TensorResult[]> {
    const { parts } = this;
    this.replayLog.add(done);
    for (const { arenaSync } of this.members.remotes) arenaSync.stateChanged(layoutOf(done.step.model).length);
    const updates = parts.map((part) => this.updated(part, done.given.at(-1)!));
    this.updates = Promise.all(updates);
    this.updates.catch(() => undefined);
    const here = await Promise.all(updates.filter((_, i) => parts[i]!.member.slices.isHere));
    for (const part of this.parts) if (part.member.slices.isHere) this.replayLog.arrived(part);
    await this.mirror();
    return here.flat();
  }

  /** Sends the member away for what it sent; its slices are made again from what is known here. */
  lose(part: Part, why: string): void {
    part.member.slices.lose(why);
    this.drop(part);
  }

  /** Resolves when the whole state is in the arena here. */
  async settle(): Promise<void> {
    await this.collect();
    while (!this.replayLog.isWhole()) {
      await this.share();
      await this.collect();
    }
  }

  /** Resolves when the whole state is here and nowhere else, so that others may change it. */
  async release(): Promise<void> {
    await this.settle();
    this.dissolve();
  }

  /** The state here has been overwritten. */
  overwritten(isWhole: boolean): void {
    if (!isWhole && !this.replayLog.isWhole()) throw new Error('a part of a state that is elsewhere was overwritten');
    this.dissolve();
    this.cut = undefined;
    this.replayLog = new ReplayLog(0);
  }

  private async updated(part: Part, values: Float32Array): Promise<readonly TensorResult[]> {
    const results = await this.each([part], ({ member }) => member.slices.backward(values));
    return results?.flat() ?? [];
  }

  private async take({ member, ...range }: Part): Promise<void> {
    await member.slices.take(this.cut!, range);
    for (const { steps, ...run } of this.replayLog.missing(range)) await member.slices.replay(steps, run);
    if (member.slices.isHere) this.replayLog.arrived(range);
  }

  /** Brings the state here of all who hold any and can still give it. */
  private async collect(): Promise<void> {
    await this.updates;
    const behind = this.parts.filter((part) => !this.replayLog.isWhole(part));
    await this.each(behind, async ({ member, ...range }) => {
      await member.slices.give(this.cut!, range);
      this.replayLog.arrived(range);
    });
    for (const part of this.parts) if (part.member.slices.isLeaving) this.drop(part);
  }

  /** Brings the state here, now and then. Slices move only when it is here anyway. */
  private async mirror(): Promise<void> {
    const { steps, bytes } = this.mirrorEvery;
    if (this.replayLog.length < steps && this.replayLog.bytes < bytes) return;
    await this.collect();
    const ends = this.parts.map(({ end }) => end);
    const isComplete = this.parts.length === this.sharers.length;
    if (isComplete && isWorthMoving(ends, speedsOf(this.sharers))) this.sharers = [];
  }

  private drop(part: Part): void {
    if (!this.parts.includes(part)) return;
    this.parts = this.parts.filter((other) => other !== part);
    this.sharers = [];
    part.member.slices.release();
  }

  private dissolve(): void {
    for (const { member } of this.parts) member.slices.release();
    this.parts = [];
    this.sharers = [];
  }
}

function partsOf(members: readonly Member[], slices: number): Part[] {
  const ends = assign(slices, speedsOf(members));
  return members
    .map((member, i) => ({ member, first: ends[i - 1] ?? 0, end: ends[i]! }))
    .filter(({ first, end }) => first < end);
}

const isSame = (a: readonly Member[], b: readonly Member[]): boolean =>
  a.length === b.length && a.every((member, i) => member === b[i]);
