// Owns one step's gradients from the first request to the last byte of a sum: who contributes which shards, and that a shard whose
// contributor is lost at any time before the update is computed again, with the same bits.
import type { Subtree } from '../../src/collectives/tree.js';
import type { ShardStep } from '../../src/protocol/node.js';
import type { GradientResult } from '../../src/protocol/tasks.js';
import { type Contribution, type Member, MemberLost, type Part, spread } from './member.js';
import type { StepPart } from './verdict.js';

interface Held {
  readonly member: Member;
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

  /** The steps of each member that has computed gradients, in the order of their shards. */
  byMember(): Map<Member, ShardStep[]> {
    const ordered = this.held
      .flatMap(({ member, steps }) => steps.map((step) => ({ member, step })))
      .sort((a, b) => a.step.shard - b.step.shard);
    const found = new Map<Member, ShardStep[]>();
    for (const { member, step } of ordered) found.set(member, [...(found.get(member) ?? []), step]);
    return found;
  }

  /** Has what these members computed computed again by those who are there. */
  async replace(members: ReadonlySet<Member>): Promise<void> {
    await this.again(({ member }) => members.has(member));
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
