// Owns tensor-parallel steps over a cluster: each member holds the state of its slices, and the arena here holds all of it as of some step
// before, with a journal of the steps since (holdings.ts). In a step:
//
//   members   forward passes | logits, summed by subtrees, up |      | backward passes, updates
//   here      forward pass   |                                | loss | gradient at the logits down, backward pass, update
//
// A network with a narrow middle has two exchanges more, alike; nothing is updated before the last.
import { joined, subtreesIn } from '../../../src/collectives/tree.js';
import type { Logits, TensorResult, TensorShardRange, TensorStep } from '../../../src/engine/tensor-tasks.js';
import { sumOf } from '../../../src/models/dense/tensor-exchange.js';
import type { Members } from './members.js';
import { areFinite } from './reply-checks.js';
import { type MirrorEvery, ShardOwnership } from './shard-ownership.js';
import { type Compute, computeOfTensorParallel } from './slowdown-warning.js';
import { type DoneStep, slicesOf } from './tensor-shard-owner.js';

export class ClusterTensorParallel {
  /** For whoever reads or overwrites the state. */
  readonly ownership: ShardOwnership;
  /** The step that waits for values, and those that it was given. */
  private asked: DoneStep | undefined;
  /** Of the step. */
  private hasDoubted = false;

  constructor(members: Members, mirrorEvery: MirrorEvery) {
    this.ownership = new ShardOwnership(members, mirrorEvery);
  }

  /** Throws E_NODES or E_INTERRUPTED where nobody is there to compute. */
  async forward(step: TensorStep): Promise<Logits> {
    this.hasDoubted = false;
    await this.ownership.cutFor(step);
    return this.passes({ step, given: [] });
  }

  /** The sums of the next pass, for which these values have come. */
  onward(values: Float32Array): Promise<Logits> {
    return this.passes(this.given(values));
  }

  /** Takes the values after the last pass. Answers of the workers here; those of others come while the next step begins. */
  async backward(values: Float32Array): Promise<TensorResult[]> {
    const done = this.given(values);
    this.asked = undefined;
    return this.ownership.update(done);
  }

  /** What a step of so many rows takes those who hold slices, by what they took lately; undefined before all have been measured. */
  compute(rows: number): Compute | undefined {
    const { parts } = this.ownership;
    const slices = parts.reduce((sum, { first, end }) => sum + end - first, 0);
    const known = parts.flatMap(({ member: { speed }, first, end }) =>
      speed === undefined ? [] : [{ share: (end - first) / slices, speed }],
    );
    return parts.length > 0 && known.length === parts.length ? computeOfTensorParallel(known, rows) : undefined;
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
    return wholeOf(this.ownership.parts, sums, slicesOf(step));
  }

  private async fromTheFirst(asked: DoneStep): Promise<(readonly Logits[])[] | undefined> {
    await this.ownership.share();
    for (let pass = 0; ; pass++) {
      const sums = await this.pass(asked, pass);
      if (!sums || pass === asked.given.length) return sums;
    }
  }

  /** A result for each part; undefined where a member was lost, in this pass or, as it turned out since the first, in the last update. */
  private async pass({ step, given }: DoneStep, pass: number): Promise<(readonly Logits[])[] | undefined> {
    const { ownership } = this;
    const sums = await ownership.each(ownership.parts, ({ member, ...range }) =>
      pass === 0 ? member.slices.forward(step, range) : member.slices.onward(given[pass - 1]!),
    );
    if (sums && ownership.areWhole && this.isDoubtful(sums)) return undefined;
    return ownership.areWhole ? sums : undefined;
  }

  /**
   * Whether some members' values are not finite where others' are: they are sent away, once a step, and others make their slices again. Where
   * that leads to the same, where this machine's own are not finite, or nobody's, the run has diverged.
   */
  private isDoubtful(sums: readonly (readonly Logits[])[]): boolean {
    const { parts } = this.ownership;
    if (this.hasDoubted || parts.every(({ member }, p) => member.slices.isHere || areFinite(sums[p]!))) return false;
    const doubted = parts.filter((_, p) => !areFinite(sums[p]!));
    if (doubted.length === parts.length || doubted.some(({ member }) => member.slices.isHere)) return false;
    this.hasDoubted = true;
    for (const part of doubted) this.ownership.lose(part, 'its values are not finite, and those of others are');
    return true;
  }
}

/** The sum over all slices. sums: of each part, those of the subtrees that it is made of. */
export function wholeOf(
  parts: readonly TensorShardRange[],
  sums: readonly (readonly Logits[])[],
  slices: number,
): Logits {
  const known = new Map<string, Logits>();
  const nameOf = ({ first, count }: { first: number; count: number }) => `${first}+${count}`;
  parts.forEach((part, p) => {
    for (const [i, subtree] of subtreesIn(part, slices).entries()) known.set(nameOf(subtree), sums[p]![i]!);
  });
  return joined({ first: 0, count: slices }, (subtree) => known.get(nameOf(subtree)), sumOf);
}
