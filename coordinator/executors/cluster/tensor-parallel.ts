// Does tensor-parallel steps on a cluster. Each machine owns the state of its tensor shards. The coordinator's arena
// holds all of it as it was after some earlier step, with a replay log of the steps since (shard-ownership.ts). In a
// step:
//
//   machines   forward passes | logits, summed by subtrees, up |      | backward passes, updates
//   here      forward pass   |                                | loss | gradient at the logits down, backward pass, update
//
// A network with narrow layers in its middle has two more exchanges of the same kind. Nothing is updated before the last
// one.
import type { TensorStep } from '../../../src/models/tensor-tasks.js';
import type { ShardPass } from '../../../worker/tensor-steps.js';
import type { DistributedTensors } from '../distributed-executor.js';
import { wholeOf } from '../tensor-cut.js';
import type { MachinePass } from './machine.js';
import type { Machines } from './machines.js';
import type { DoneStep } from './replay-log.js';
import { areFinite } from './reply-checks.js';
import { type FetchEvery, type OwnedPart, ShardOwnership } from './shard-ownership.js';
import { type Compute, computeOfTensorParallel } from './step-timing.js';

/** The same pass of all machines. */
type Passes = ReadonlyMap<OwnedPart, MachinePass>;

export class ClusterTensorParallel implements DistributedTensors {
  private readonly ownership: ShardOwnership;
  /** Whether machines have been doubted in this step. */
  private hasDoubted = false;

  constructor(machines: Machines, fetchEvery: FetchEvery) {
    this.ownership = new ShardOwnership(machines, fetchEvery);
  }

  /** Does the first pass of a step. Throws E_NODES or E_INTERRUPTED if no machine is there to compute. */
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

  /**
   * Returns the times that a step of this number of rows would take, from the latest speeds. Returns undefined before
   * all owners of tensor shards have been measured.
   */
  compute(rows: number): Compute | undefined {
    const { parts } = this.ownership;
    const shards = parts.reduce((sum, { first, end }) => sum + end - first, 0);
    const known = parts.flatMap(({ machine: { speed }, first, end }) =>
      speed === undefined ? [] : [{ share: (end - first) / shards, speed }],
    );
    return parts.length > 0 && known.length === parts.length ? computeOfTensorParallel(known, rows) : undefined;
  }

  /**
   * Does the pass that follows the values given so far.
   * @param before the pass before it. If a machine is lost, all available machines then repeat all passes. Passes change
   * nothing, and give the same values again.
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
    let passes = await this.pass(({ machine, ...range }) => machine.tensorShards.forward(step, range));
    for (const values of given) passes = passes && (await this.onward(passes, values));
    return passes;
  }

  private async onward(before: Passes, values: Float32Array): Promise<Passes | undefined> {
    return this.ownership.areWhole ? this.pass((part) => before.get(part)!.onward(values)) : undefined;
  }

  /** Returns undefined if a machine was lost, in this pass or in the last update, where the loss only shows now. */
  private async pass(of: (part: OwnedPart) => Promise<MachinePass>): Promise<Passes | undefined> {
    const { ownership } = this;
    const { parts } = ownership;
    const found = await ownership.each(parts, of);
    if (!found || !ownership.areWhole) return undefined;
    const passes = new Map(parts.map((part, p) => [part, found[p]!]));
    return this.isDoubtful(passes) ? undefined : passes;
  }

  /**
   * Returns whether some machines' values are not finite where others' are. The connections of those machines are ended,
   * once per step, and others compute their tensor shards again. If that gives the same, or if the values of this
   * machine or of all machines are not finite, the run has diverged.
   */
  private isDoubtful(passes: Passes): boolean {
    const parts = [...passes.keys()];
    const doubted = parts.filter((part) => !part.machine.tensorShards.isHere && !areFinite(passes.get(part)!.sums));
    if (this.hasDoubted || doubted.length === 0 || doubted.length === parts.length) return false;
    if (parts.some((part) => part.machine.tensorShards.isHere && !areFinite(passes.get(part)!.sums))) return false;
    this.hasDoubted = true;
    for (const part of doubted) this.ownership.lose(part, 'its values are not finite, and those of others are');
    return true;
  }
}
