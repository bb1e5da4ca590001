// Tensor-parallel steps over a cluster: each member owns the state of its tensor shards, and the arena here holds all of it as of some step
// before, with a replay log of the steps since (shard-ownership.ts). In a step:
//
//   members   forward passes | logits, summed by subtrees, up |      | backward passes, updates
//   here      forward pass   |                                | loss | gradient at the logits down, backward pass, update
//
// A network with narrow layers in its middle has two more exchanges of the same kind; nothing is updated before the last.
import type { TensorStep } from '../../../src/models/tensor-tasks.js';
import type { ShardPass } from '../../../worker/tensor-steps.js';
import type { DistributedTensors } from '../distributed-executor.js';
import { wholeOf } from '../tensor-cut.js';
import type { MemberPass } from './member.js';
import type { Members } from './members.js';
import type { DoneStep } from './replay-log.js';
import { areFinite } from './reply-checks.js';
import { type FetchEvery, type OwnedPart, ShardOwnership } from './shard-ownership.js';
import { type Compute, computeOfTensorParallel } from './step-timing.js';

/** The same pass of all members. */
type Passes = ReadonlyMap<OwnedPart, MemberPass>;

export class ClusterTensorParallel implements DistributedTensors {
  private readonly ownership: ShardOwnership;
  /** Whether members have been doubted in this step. */
  private hasDoubted = false;

  constructor(members: Members, fetchEvery: FetchEvery) {
    this.ownership = new ShardOwnership(members, fetchEvery);
  }

  /** Throws E_NODES or E_INTERRUPTED where nobody is there to compute. */
  async forward(step: TensorStep): Promise<ShardPass> {
    this.hasDoubted = false;
    await this.ownership.cutFor(step);
    return this.passAfter({ step, given: [] });
  }

  settle(): Promise<void> {
    return this.ownership.settle();
  }

  release(): Promise<void> {
    return this.ownership.release();
  }

  overwritten(isWhole: boolean): void {
    this.ownership.overwritten(isWhole);
  }

  /** What a step of so many rows takes those who own tensor shards, by what they took lately; undefined before all have been measured. */
  compute(rows: number): Compute | undefined {
    const { parts } = this.ownership;
    const shards = parts.reduce((sum, { first, end }) => sum + end - first, 0);
    const known = parts.flatMap(({ member: { speed }, first, end }) =>
      speed === undefined ? [] : [{ share: (end - first) / shards, speed }],
    );
    return parts.length > 0 && known.length === parts.length ? computeOfTensorParallel(known, rows) : undefined;
  }

  /**
   * The pass that comes after what was given.
   * @param before the pass before it. Where a member is lost, all who are there then do all passes again: they changed nothing, and lead to
   * the same values.
   */
  private async passAfter(done: DoneStep, before?: Passes): Promise<ShardPass> {
    const { step, given } = done;
    let passes = before && (await this.onward(before, given.at(-1)!));
    while (!passes) passes = await this.fromTheFirst(done);
    const last = passes;
    const and = (values: Float32Array) => ({ step, given: [...given, values.slice()] });
    const sums = Array.from(last.values(), (pass) => pass.sums);
    return {
      ...wholeOf([...last.keys()], sums, step),
      onward: (values) => this.passAfter(and(values), last),
      backward: (values) => this.ownership.update(and(values), last),
    };
  }

  private async fromTheFirst({ step, given }: DoneStep): Promise<Passes | undefined> {
    await this.ownership.share();
    let passes = await this.pass(({ member, ...range }) => member.tensorShards.forward(step, range));
    for (const values of given) passes = passes && (await this.onward(passes, values));
    return passes;
  }

  private async onward(before: Passes, values: Float32Array): Promise<Passes | undefined> {
    return this.ownership.areWhole ? this.pass((part) => before.get(part)!.onward(values)) : undefined;
  }

  /** undefined where a member was lost, in this pass or, as it turned out since the first, in the last update. */
  private async pass(of: (part: OwnedPart) => Promise<MemberPass>): Promise<Passes | undefined> {
    const { ownership } = this;
    const { parts } = ownership;
    const found = await ownership.each(parts, of);
    if (!found || !ownership.areWhole) return undefined;
    const passes = new Map(parts.map((part, p) => [part, found[p]!]));
    return this.isDoubtful(passes) ? undefined : passes;
  }

  /**
   * Whether some members' values are not finite where others' are: they are sent away, once a step, and others make their tensor shards again.
   * Where that leads to the same, where this machine's own are not finite, or nobody's, the run has diverged.
   */
  private isDoubtful(passes: Passes): boolean {
    const parts = [...passes.keys()];
    const doubted = parts.filter((part) => !part.member.tensorShards.isHere && !areFinite(passes.get(part)!.sums));
    if (this.hasDoubted || doubted.length === 0 || doubted.length === parts.length) return false;
    if (parts.some((part) => part.member.tensorShards.isHere && !areFinite(passes.get(part)!.sums))) return false;
    this.hasDoubted = true;
    for (const part of doubted) this.ownership.lose(part, 'its values are not finite, and those of others are');
    return true;
  }
}
