// Owns steps by hidden units over a fleet: each member holds the state of its slices, and the arena here holds all of it as of some step
// before, with a journal of the steps since. In a step:
//
//   members   forward passes | logits, summed by subtrees, up |      | backward passes, updates
//   here      forward pass   |                                | loss | gradient at the logits down, backward pass, update
//
// A network with a narrow middle has two exchanges more, alike; nothing is updated before the last.
//
// The state of a member that is lost is made again by others, from the arena and the journal: the same steps in the same order, so the
// same bits.
import { joined, subtreesIn } from '../../src/collectives/tree.js';
import { layoutOf } from '../../src/engine/model.js';
import { sumOf } from '../../src/engine/slicing.js';
import type { Logits, SlicedStep, SliceRange, SliceResult } from '../../src/protocol/slices.js';
import { assign, isWorthMoving } from './assignment.js';
import { Journal } from './journal.js';
import { type Member, MemberLost } from './member.js';
import { type Members, speedsOf } from './members.js';
import { type Cut, type DoneStep, slicesOf } from './slice-holder.js';

/** The most steps that the state of a slice is behind here, and that may have to be done again, and the bytes of a journal that has them. */
export interface MirrorEvery {
  readonly steps: number;
  readonly bytes: number;
}

/** A member and the slices that it holds. */
interface Part extends SliceRange {
  readonly member: Member;
}

export class SlicedFleet {
  private cut: Cut | undefined;
  private journal = new Journal(0);
  private parts: readonly Part[] = [];
  /** Among whom the slices were shared out; nobody, once one of them was lost. */
  private sharers: readonly Member[] = [];
  /** The step that waits for values, and those that it was given. */
  private asked: DoneStep | undefined;
  /** Of the last step. */
  private updates: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly members: Members,
    private readonly mirrorEvery: MirrorEvery,
  ) {}

  /** Throws E_NODES or E_INTERRUPTED where nobody is there to compute. */
  async forward(step: SlicedStep): Promise<Logits> {
    await this.cutFor(step);
    return this.passes({ step, given: [] });
  }

  /** The sums of the next pass, for which these values have come. */
  onward(values: Float32Array): Promise<Logits> {
    return this.passes(this.given(values));
  }

  /** Takes the values after the last pass. Answers of the workers here; those of others come while the next step begins. */
  async backward(values: Float32Array): Promise<SliceResult[]> {
    const done = this.given(values);
    this.asked = undefined;
    this.journal.add(done);
    for (const { replica } of this.members.remotes) replica.stateChanged(layoutOf(done.step.model).length);
    const results = this.parts.map(async (part) => {
      try {
        return await part.member.slices.backward(done.given.at(-1)!);
      } catch (error) {
        if (!(error instanceof MemberLost)) throw error;
        this.drop(part);
        return [];
      }
    });
    this.updates = Promise.all(results);
    this.updates.catch(() => undefined);
    const here = await Promise.all(results.filter((_, i) => this.parts[i]!.member.slices.isHere));
    this.arrivedHere();
    const { steps, bytes } = this.mirrorEvery;
    if (this.journal.length >= steps || this.journal.bytes >= bytes) {
      await this.collect();
      this.reconsider();
    }
    return here.flat();
  }

  /** Resolves when the whole state is in the arena here. */
  async settle(): Promise<void> {
    await this.collect();
    while (!this.journal.isWhole()) {
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
    if (!isWhole && !this.journal.isWhole()) throw new Error('a part of a state that is elsewhere was overwritten');
    this.dissolve();
    this.cut = undefined;
    this.journal = new Journal(0);
  }

  private given(values: Float32Array): DoneStep {
    if (!this.asked) throw new Error('a backward pass comes after a forward pass');
    return { step: this.asked.step, given: [...this.asked.given, values.slice()] };
  }

  /** The sums of the pass that comes after what was given. Where a member is lost, all who are there then do all passes again. */
  private async passes(asked: DoneStep): Promise<Logits> {
    const { step, given } = asked;
    let sums = given.length > 0 ? await this.pass(asked, given.length) : undefined;
    // The passes changed nothing: they are given up, and done again with what was lost, to the same values.
    while (!sums) sums = await this.fromTheFirst(asked);
    this.asked = asked;
    return wholeOf(this.parts, sums, slicesOf(step));
  }

  private async fromTheFirst(asked: DoneStep): Promise<(readonly Logits[])[] | undefined> {
    await this.share();
    for (let pass = 0; ; pass++) {
      const sums = await this.pass(asked, pass);
      if (!sums || pass === asked.given.length) return sums;
    }
  }

  /** A result for each part; undefined where a member was lost, in this pass or, as it turned out since the first, in the last update. */
  private async pass({ step, given }: DoneStep, pass: number): Promise<(readonly Logits[])[] | undefined> {
    const sums = await this.each(this.parts, ({ member, ...range }) =>
      pass === 0 ? member.slices.forward(step, range) : member.slices.onward(given[pass - 1]!),
    );
    return this.sharers.length > 0 ? sums : undefined;
  }

  private async cutFor({ model, shards }: SlicedStep): Promise<void> {
    const cut = { model, shards };
    if (JSON.stringify(cut) === JSON.stringify(this.cut)) return;
    await this.release();
    this.cut = cut;
    this.journal = new Journal(slicesOf(cut));
  }

  /** Resolves when all slices are held by those who are there, all of them as after the last step. */
  private async share(): Promise<void> {
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

  private async take({ member, ...range }: Part): Promise<void> {
    await member.slices.take(this.cut!, range);
    for (const { steps, ...run } of this.journal.missing(range)) await member.slices.replay(steps, run);
    if (member.slices.isHere) this.journal.arrived(range);
  }

  /** Brings the state here of all who hold any and can still give it. */
  private async collect(): Promise<void> {
    await this.updates;
    const behind = this.parts.filter((part) => !this.journal.isWhole(part));
    await this.each(behind, async ({ member, ...range }) => {
      await member.slices.give(this.cut!, range);
      this.journal.arrived(range);
    });
    for (const part of this.parts) if (part.member.slices.isLeaving) this.drop(part);
  }

  /** Slices move only when the state is here anyway. */
  private reconsider(): void {
    const ends = this.parts.map(({ end }) => end);
    const isComplete = this.parts.length === this.sharers.length;
    if (isComplete && isWorthMoving(ends, speedsOf(this.sharers))) this.sharers = [];
  }

  private arrivedHere(): void {
    for (const part of this.parts) if (part.member.slices.isHere) this.journal.arrived(part);
  }

  /** A result for each part; undefined where a member was lost, whose part is dropped. Other errors are thrown when all have ended. */
  private async each<T>(parts: readonly Part[], work: (part: Part) => Promise<T>): Promise<T[] | undefined> {
    const settled = await Promise.allSettled(parts.map(work));
    const results: T[] = [];
    settled.forEach((outcome, i) => {
      if (outcome.status === 'fulfilled') results.push(outcome.value);
      else if (outcome.reason instanceof MemberLost) this.drop(parts[i]!);
      else throw outcome.reason;
    });
    return results.length === parts.length ? results : undefined;
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

/** The sum over all slices. sums: of each part, those of the subtrees that it is made of. */
export function wholeOf(parts: readonly SliceRange[], sums: readonly (readonly Logits[])[], slices: number): Logits {
  const known = new Map<string, Logits>();
  const nameOf = ({ first, count }: { first: number; count: number }) => `${first}+${count}`;
  parts.forEach((part, p) => {
    for (const [i, subtree] of subtreesIn(part, slices).entries()) known.set(nameOf(subtree), sums[p]![i]!);
  });
  return joined({ first: 0, count: slices }, (subtree) => known.get(nameOf(subtree)), sumOf);
}

const isSame = (a: readonly Member[], b: readonly Member[]): boolean =>
  a.length === b.length && a.every((member, i) => member === b[i]);
