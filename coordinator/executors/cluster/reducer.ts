// Where gradients of nodes are summed: who contributes which shards of a step, that shards whose contributor is lost before the update are
// computed again, with the same bits, and the total, chunk by chunk as sums come.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import { CHUNK, GradientSums } from '../../../src/collectives/gradient-sum.js';
import type { Subtree } from '../../../src/collectives/tree.js';
import type { Arena } from '../../../src/engine/arena.js';
import { parameterCount } from '../../../src/models/models.js';
import type { GradientResult } from '../../../src/models/tasks.js';
import type { ShardStep } from '../../../src/training/executor.js';
import { notFinite } from '../failures.js';
import { type Contribution, type Member, MemberLost, type Part, spread } from './member.js';
import type { RemoteNode } from './remote-node.js';
import type { StepPart } from './step-timing.js';

/** What a member has contributed. */
interface Held {
  readonly member: Member;
  readonly steps: readonly ShardStep[];
  readonly contribution: Contribution;
}

/** The gradients of one step, from the first request to the last byte of a sum. */
export class GradientRound {
  private held: Held[] = [];

  /** here: who computes again what came from elsewhere and is in doubt. */
  constructor(
    private readonly share: (count: number) => Promise<readonly Part[]>,
    private readonly here: Member,
  ) {}

  /** Results in the order of the steps. Sums may still be on their way. What a member says is not finite has been computed again here. */
  async compute(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    const results = await spread(steps, this.share, async (member, part) => {
      const contribution = await member.gradients(part);
      this.held.push({ member, steps: part, contribution });
      return contribution.results;
    });
    const isDoubtful = await this.doubt('it says that gradients are not finite, and they are', ({ results }) =>
      results.some(({ finite }) => !finite),
    );
    return isDoubtful ? steps.map((step) => this.resultOf(step)) : results;
  }

  /**
   * Computes again here what came from elsewhere and is in doubt. A member is sent away where its gradients turn out to be finite; where they
   * are not, it was right, and the run has diverged. Returns whether anything was in doubt.
   */
  async doubt(why: string, isDoubtful: (contribution: Contribution) => boolean): Promise<boolean> {
    const doubted = this.held.filter(({ contribution }) => contribution.elsewhere && isDoubtful(contribution));
    for (const held of doubted) {
      const { elsewhere } = held.contribution;
      elsewhere!.revoke();
      const contribution = await this.here.gradients(held.steps);
      if (contribution.results.every(({ finite }) => finite)) elsewhere!.lose(why);
      this.held = this.held.map((other) => (other === held ? { ...held, member: this.here, contribution } : other));
    }
    return doubted.length > 0;
  }

  /** Resolves when the first so many floats of all sums are here. */
  async gather(length: number): Promise<void> {
    for (;;) {
      const settled = await Promise.allSettled(this.held.map(({ contribution }) => contribution.arrived(length)));
      const failed = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      const [other] = failed.filter((reason) => !(reason instanceof MemberLost));
      if (other !== undefined) throw other;
      if (failed.length === 0) return;
      // The parameters are still those of before the update everywhere, and what has been summed already has the same bits.
      const lost = this.held.filter((_, i) => settled[i]!.status === 'rejected');
      this.held = this.held.filter((held) => !lost.includes(held));
      await this.compute(lost.flatMap(({ steps }) => steps));
    }
  }

  /** Who computed how much. */
  parts(): StepPart[] {
    return this.held.map(({ member: { workers }, steps, contribution: { results } }) => {
      const compute = results.reduce((sum, { milliseconds: { input, forward, backward } }) => {
        return sum + input + forward + backward;
      }, 0);
      return { workers, shards: steps.length, compute };
    });
  }

  /** The sums that came from elsewhere. */
  subtrees(): Subtree[] {
    return this.held.flatMap(({ contribution }) => contribution.subtrees);
  }

  private resultOf(step: ShardStep): GradientResult {
    const { steps, contribution } = this.held.find(({ steps }) => steps.includes(step))!;
    return contribution.results[steps.indexOf(step)]!;
  }
}

/** Sums gradients to the total that the update is made by. Chunks of it go at once to the nodes that follow. */
export class Reducer {
  private readonly sums: GradientSums;

  constructor(
    private readonly arena: Arena,
    private readonly codec: GradientCodec,
  ) {
    this.sums = new GradientSums(arena);
  }

  /**
   * Makes the total here and at the nodes that follow: those whose parameters and moments are as they are here. steps: of all shards.
   * Throws E_NOT_FINITE with the parameters as they were, everywhere.
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
        if (!(await this.isMadeRight(round, start, end))) throw notFinite();
      const { payload, finite } = this.codec.encode(this.arena.regions.total, start, end);
      if (!finite) throw notFinite();
      for (const node of followers) node.sendTotal(step, this.codec.bytes(start), payload);
    }
  }

  /** The next total is of something else: what rounding has left of this one is forgotten. */
  forget(): void {
    this.codec.reset();
  }

  private isFinite(round: GradientRound, shards: number, start: number, end: number): boolean {
    this.sums.arrived(round.subtrees());
    return this.sums.total(shards, start, end);
  }

  /** Whether sums that came from elsewhere were not finite, and have been made again here. */
  private isMadeRight(round: GradientRound, start: number, end: number): Promise<boolean> {
    return round.doubt('its sums are not finite, and its gradients are', ({ subtrees }) =>
      subtrees.some((subtree) => !this.sums.isFinite(subtree, start, end)),
    );
  }
}
