// Owns the exchange of a step's sum as low-rank factors (src/engine/low-rank.ts), in two rounds:
//
//   members   M = gradients + residual, P = M Q |                      | Q = M^T P |             | update by P Q^T
//   here                                        | P = orthonormal(sum) |           | Q = sum     | update by P Q^T
//
// A member that is lost in either takes its residual with it, at most what low rank has left of one part of a sum. Its shards are computed
// again by others, whose parts grow by them: the gradients of the step are in its total, whichever P it is made with.
import { floats } from '../../src/engine/arena.js';
import { drawRight, type Factoring, factoringOf, orthonormal, type Side } from '../../src/engine/factors.js';
import type { Model } from '../../src/engine/model.js';
import type { ShardStep } from '../../src/protocol/node.js';
import type { LocalNode } from '../../worker/node.js';
import { notFinite } from '../failures.js';
import { type Member, MemberLost } from './member.js';
import type { Members } from './members.js';
import type { RemoteNode } from './remote-node.js';
import type { Round } from './round.js';
import type { Summing, Total } from './total.js';

/** Of the absolute values in right factors: the total is a sum of at most 8 products of such a one and another of at most 1. */
const LARGEST = 3e38 / 8;

export class LowRank implements Total {
  private sums = 0;
  /** Whether the arena's right factors are those of the last total. */
  private goesOn = false;

  constructor(
    private readonly local: LocalNode,
    private readonly members: Members,
    readonly rank: number,
  ) {}

  /** Factors and residuals begin anew. */
  forget(): void {
    this.goesOn = false;
    for (const { factors } of this.members.all()) factors.forget();
  }

  async sumUp({ round, model, followers }: Summing): Promise<RemoteNode[]> {
    const factoring = factoringOf(model, this.rank);
    this.sums++;
    this.begin(factoring, stepOf(round));
    const { total: lefts } = await this.gather('left', round, model, factoring);
    this.write('left', orthonormal(factoring, lefts));
    const { total: rights, members } = await this.gather('right', round, model, factoring);
    if (rights.some((value) => Math.abs(value) > LARGEST)) throw notFinite();
    this.write('right', Float32Array.from(rights));
    const has = await Promise.all(followers.map((node) => bring(node, factoring)));
    for (const { factors } of members) await factors.counted();
    return followers.filter((_, i) => has[i]);
  }

  /** The right factors that the first round begins with: those of the last total, or random ones. */
  private begin(factoring: Factoring, step: ShardStep): void {
    const right = floats(this.local.arena, 'right', factoring.right);
    if (!this.goesOn) right.fill(0);
    const isDrawn = drawRight(factoring, right, step);
    if (!this.goesOn || isDrawn) this.changed('right', factoring.right);
    this.goesOn = true;
  }

  /** The sum of all members' factors, in the order of their shards; of those who are lost, of others'. */
  private async gather(side: Side, round: Round, model: Model, factoring: Factoring) {
    const found = new Map<Member, { readonly shards: string; readonly factors: Float32Array }>();
    for (;;) {
      const parts = [...round.byMember()].map(([member, steps]) => [member, steps.map(({ shard }) => shard)] as const);
      const settled = await Promise.allSettled(
        parts.map(async ([member, shards]) => {
          if (found.get(member)?.shards === shards.join()) return;
          const sum = { model, rank: this.rank, step: this.sums, shards };
          found.set(member, { shards: shards.join(), factors: await member.factors.factor(side, sum) });
        }),
      );
      const lost = lostOf(
        settled,
        parts.map(([member]) => member),
      );
      if (lost.size === 0) {
        const members = parts.map(([member]) => member);
        return {
          members,
          total: sumOf(
            members.map((member) => found.get(member)!.factors),
            factoring[side],
          ),
        };
      }
      for (const member of lost) found.delete(member);
      await round.replace(lost);
    }
  }

  private write(side: Side, factors: Float32Array): void {
    floats(this.local.arena, side, factors.length).set(factors);
    this.changed(side, factors.length);
  }

  private changed(side: Side, length: number): void {
    for (const { replica } of this.members.remotes) replica.factorsChanged(side, length);
  }
}

/** Throws what is no loss of a member. */
function lostOf(settled: readonly PromiseSettledResult<void>[], members: readonly Member[]): Set<Member> {
  const lost = new Set<Member>();
  settled.forEach((outcome, i) => {
    if (outcome.status === 'fulfilled') return;
    if (!(outcome.reason instanceof MemberLost)) throw outcome.reason;
    lost.add(members[i]!);
  });
  return lost;
}

/** Any of its shards'. */
function stepOf(round: Round): ShardStep {
  const [[step] = []] = round.byMember().values();
  if (!step) throw new Error('an update comes after gradients');
  return step;
}

/** Throws E_NOT_FINITE. */
function sumOf(parts: readonly Float32Array[], length: number): Float64Array {
  const sum = new Float64Array(length);
  for (const part of parts) for (let i = 0; i < length; i++) sum[i]! += part[i]!;
  if (!sum.every(Number.isFinite)) throw notFinite();
  return sum;
}

/** Whether the node has the factors of the total now. */
async function bring({ isAvailable, replica }: RemoteNode, { left, right }: Factoring): Promise<boolean> {
  // One that is behind would be waited for.
  if (!isAvailable) return false;
  try {
    await replica.bringFactors('left', left);
    await replica.bringFactors('right', right);
    return true;
  } catch (error) {
    if (error instanceof MemberLost) return false;
    throw error;
  }
}
