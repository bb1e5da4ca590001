// Sums the gradients of all machines. It records which machine computed which shards of a step, has the shards of a lost
// machine computed again with the same bits, and makes the total chunk by chunk as sums arrive.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import { CHUNK, GradientSums } from '../../../src/collectives/gradient-sum.js';
import type { Subtree } from '../../../src/collectives/tree.js';
import type { Arena } from '../../../src/engine/arena.js';
import { notFinite } from '../../../src/failures.js';
import { parameterCount } from '../../../src/models/models.js';
import type { GradientResult } from '../../../src/models/tasks.js';
import type { ShardStep } from '../../../src/training/executor.js';
import { type Contribution, type Machine, MachineLost, type Part, spread } from './machine.js';
import type { RemoteNode } from './remote-node.js';
import type { StepPart } from './step-timing.js';

/** What a machine has contributed. */
interface Held {
  readonly machine: Machine;
  readonly steps: readonly ShardStep[];
  readonly contribution: Contribution;
}

/** The gradients of one step, from the first request to the last byte of a sum. */
export class GradientRound {
  private held: Held[] = [];

  /** here: the machine that computes again what another one sent and is in doubt. */
  constructor(
    private readonly share: (count: number) => Promise<readonly Part[]>,
    private readonly here: Machine,
  ) {}

  /**
   * Returns the results in the order of the steps. Sums may still be on their way. Results that a machine reports as not
   * finite have been computed again here.
   */
  async compute(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    const results = await spread(steps, this.share, async (machine, part) => {
      const contribution = await machine.gradients(part);
      this.held.push({ machine, steps: part, contribution });
      return contribution.results;
    });
    const isDoubtful = await this.doubt('it says that gradients are not finite, and they are', ({ results }) =>
      results.some(({ finite }) => !finite),
    );
    return isDoubtful ? steps.map((step) => this.resultOf(step)) : results;
  }

  /**
   * Computes again here what another machine sent and is in doubt. If the gradients turn out to be finite, the
   * connection of that machine is ended. If they are not, the machine was right, and the run has diverged. Returns
   * whether anything was in doubt.
   */
  async doubt(why: string, isDoubtful: (contribution: Contribution) => boolean): Promise<boolean> {
    const doubted = this.held.filter(({ contribution }) => contribution.elsewhere && isDoubtful(contribution));
    for (const held of doubted) {
      const { elsewhere } = held.contribution;
      elsewhere!.revoke();
      const contribution = await this.here.gradients(held.steps);
      if (contribution.results.every(({ finite }) => finite)) elsewhere!.lose(why);
      this.held = this.held.map((other) => (other === held ? { ...held, machine: this.here, contribution } : other));
    }
    return doubted.length > 0;
  }

  /** Resolves when the first `length` floats of all sums are here. */
  async gather(length: number): Promise<void> {
    for (;;) {
      const settled = await Promise.allSettled(this.held.map(({ contribution }) => contribution.arrived(length)));
      const failed = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      const [other] = failed.filter((reason) => !(reason instanceof MachineLost));
      if (other !== undefined) throw other;
      if (failed.length === 0) return;
      // No machine has updated its parameters yet, and the sums that are complete have the same bits.
      const lost = this.held.filter((_, i) => settled[i]!.status === 'rejected');
      this.held = this.held.filter((held) => !lost.includes(held));
      await this.compute(lost.flatMap(({ steps }) => steps));
    }
  }

  /** Returns the part of each machine. */
  parts(): StepPart[] {
    return this.held.map(({ machine: { workers }, steps, contribution: { results } }) => {
      const compute = results.reduce((sum, { milliseconds: { input, forward, backward } }) => {
        return sum + input + forward + backward;
      }, 0);
      return { workers, shards: steps.length, compute };
    });
  }

  /** Returns the sums that came from other machines. */
  subtrees(): Subtree[] {
    return this.held.flatMap(({ contribution }) => contribution.subtrees);
  }

  private resultOf(step: ShardStep): GradientResult {
    const { steps, contribution } = this.held.find(({ steps }) => steps.includes(step))!;
    return contribution.results[steps.indexOf(step)]!;
  }
}

/** Sums gradients to the total for the update. Each chunk is sent at once to the nodes that follow. */
export class Reducer {
  private readonly sums: GradientSums;

  constructor(
    private readonly arena: Arena,
    private readonly codec: GradientCodec,
  ) {
    this.sums = new GradientSums(arena);
  }

  /**
   * Makes the total here and at the followers, which are the nodes whose parameters and moments are the same as here.
   * Throws E_NOT_FINITE, and then the parameters of all machines stay unchanged.
   * @param step the step of any shard
   */
  async sumUp(
    round: GradientRound,
    { model, shards, step }: ShardStep,
    followers: readonly RemoteNode[],
  ): Promise<void> {
    const length = parameterCount(model);
    for (let start = 0; start < length; start += CHUNK) {
      const end = Math.min(start + CHUNK, length);
      await round.gather(end);
      while (!this.isFinite(round, shards, start, end))
        if (!(await this.isMadeRight(round, start, end))) throw notFinite('the sum of the gradients is not finite');
      const { payload, finite } = this.codec.encode(this.arena.regions.total, start, end);
      if (!finite) throw notFinite('the sum of the gradients is not finite');
      for (const node of followers) node.sendTotal(step, this.codec.bytes(start), payload);
    }
  }

  /** Forgets the rounding errors of this total, because the next one is of other gradients. */
  forget(): void {
    this.codec.reset();
  }

  private isFinite(round: GradientRound, shards: number, start: number, end: number): boolean {
    this.sums.arrived(round.subtrees());
    return this.sums.total(shards, start, end);
  }

  /** Returns whether sums from other machines were not finite and have been computed again here. */
  private isMadeRight(round: GradientRound, start: number, end: number): Promise<boolean> {
    return round.doubt('its sums are not finite, and its gradients are', ({ subtrees }) =>
      subtrees.some((subtree) => !this.sums.isFinite(subtree, start, end)),
    );
  }
}
