// Owns one step's gradients from the first request to the last byte of a sum: who contributes which shards, and that a shard whose
// contributor is lost at any time before the update is computed again, with the same bits.
import type { Subtree } from '../../../src/collectives/tree.js';
import type { ShardStep } from '../../../src/engine/executor.js';
import type { GradientResult } from '../../../src/engine/tasks.js';
import { type Contribution, type Member, MemberLost, type Part, spread } from './member.js';
import type { StepPart } from './slowdown-warning.js';

interface Held {
  readonly member: Member;
  readonly steps: readonly ShardStep[];
  readonly contribution: Contribution;
}

export class GradientRound {
  private held: Held[] = [];

  /** here: who computes again what came from elsewhere and is in doubt. */
  constructor(
    private readonly share: (count: number) => Promise<readonly Part[]>,
    private readonly here: Member,
  ) {}

  /** Results in the order of the steps. Sums may still be on their way. What a member says is not finite has been computed again here. */
  async compute(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    const results = await this.spreadOut(steps);
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

  private resultOf(step: ShardStep): GradientResult {
    const { steps, contribution } = this.held.find(({ steps }) => steps.includes(step))!;
    return contribution.results[steps.indexOf(step)]!;
  }

  private spreadOut(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    return spread(steps, this.share, async (member: Member, part) => {
      const contribution = await member.gradients(part);
      this.held.push({ member, steps: part, contribution });
      return contribution.results;
    });
  }

  /** Resolves when the first so many floats of all sums are here. */
  async gather(length: number): Promise<void> {
    for (;;) {
      const settled = await Promise.allSettled(this.held.map(({ contribution }) => contribution.arrived(length)));
      const failed = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      const [other] = failed.filter((reason) => !(reason instanceof MemberLost));
      if (other !== undefined) throw other;
      if (failed.length === 0) return;
      const lost = new Set(this.held.filter((_, i) => settled[i]!.status === 'rejected'));
      // The parameters are still those of before the update everywhere, and what has been summed already has the same bits.
      await this.again((held) => lost.has(held));
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

  private async again(isLost: (held: Held) => boolean): Promise<void> {
    const lost = this.held.filter(isLost);
    this.held = this.held.filter((held) => !lost.includes(held));
    await this.compute(lost.flatMap(({ steps }) => steps));
  }
}
