// Owns one step's gradients from the first request to the last byte of a sum: who contributes which shards, and that a shard whose
// contributor is lost at any time before the update is computed again, with the same bits.
import type { Subtree } from '../../src/collectives/tree.js';
import type { ShardStep } from '../../src/protocol/node.js';
import type { GradientResult } from '../../src/protocol/tasks.js';
import { type Contribution, type Member, MemberLost, type Part, spread } from './member.js';
import type { StepPart } from './verdict.js';

interface Held {
  readonly workers: number;
  readonly steps: readonly ShardStep[];
  readonly contribution: Contribution;
}

export class Round {
  private held: Held[] = [];

  constructor(private readonly share: (count: number) => Promise<readonly Part[]>) {}

  /** Results in the order of the steps. Sums may still be on their way. */
  compute(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    return spread(steps, this.share, async (member: Member, part) => {
      const contribution = await member.gradients(part);
      this.held.push({ workers: member.workers, steps: part, contribution });
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
      const lost = this.held.filter((_, i) => settled[i]!.status === 'rejected');
      this.held = this.held.filter((_, i) => settled[i]!.status === 'fulfilled');
      // The parameters are still those of before the update everywhere, and what has been summed already has the same bits.
      await this.compute(lost.flatMap(({ steps }) => steps));
    }
  }

  /** Who computed how much. */
  parts(): StepPart[] {
    return this.held.map(({ workers, steps, contribution: { results } }) => {
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
}
