// Owns what the coordinator sees of those who compute, its own threads and other machines alike, and the sharing of work among them.
import type { Subtree } from '../../../src/collectives/tree.js';
import type { ShardStep } from '../../../src/engine/executor.js';
import type { GradientResult, PredictResult, PredictTask } from '../../../src/engine/tasks.js';
import type { Model } from '../../../src/models/model.js';
import type { TensorShardOwner } from './tensor-shard-owner.js';

/** A member's part of a step. */
export interface Contribution {
  readonly results: readonly GradientResult[];
  /** Sums that arrive in the coordinator's slots, each in that of its first shard. Shards in none are in their own slots. */
  readonly subtrees: readonly Subtree[];
  /** Resolves when the first so many floats of each sum are there; rejects with MemberLost. */
  arrived(length: number): Promise<void>;
  /** Where it is another machine's. */
  readonly elsewhere?: Elsewhere;
}

export interface Elsewhere {
  /** What is still on its way is not taken any more: others compute the same shards. */
  revoke(): void;
  /** Sends the member away for what it sent. */
  lose(message: string): MemberLost;
}

export interface Member {
  readonly name: string;
  readonly workers: number;
  /** Rows of training steps by milliseconds; undefined before the first. */
  readonly speed: number | undefined;
  readonly slices: TensorShardOwner;
  /** It is given nothing to do this time. */
  passedOver(): void;
  gradients(steps: readonly ShardStep[]): Promise<Contribution>;
  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]>;
}

export const rowsOfResults = (results: readonly { readonly rows: number }[]): number =>
  results.reduce((sum, { rows }) => sum + rows, 0);

/** What a member was doing has to be done by others. The run is none the worse for it. */
export class MemberLost extends Error {
  override readonly name = 'MemberLost';

  constructor(member: string, cause: unknown) {
    super(`${member} was lost: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** A member and the positions of its items. */
export type Part = readonly [Member, readonly number[]];

/**
 * Has each item done by a member; those of members that are lost by others. Other errors are thrown when all have ended.
 * @param share says who does so many items. It throws where nobody is there to do any.
 */
export async function spread<T, R>(
  items: readonly T[],
  share: (count: number) => Promise<readonly Part[]>,
  work: (member: Member, items: readonly T[]) => Promise<readonly R[]>,
): Promise<R[]> {
  const results: R[] = [];
  let open = items.map((_, position) => position);
  while (open.length > 0) {
    const parts = (await share(open.length)).map(([member, of]) => [member, of.map((i) => open[i]!)] as const);
    const settled = await Promise.allSettled(
      parts.map(([member, positions]) =>
        work(
          member,
          positions.map((position) => items[position]!),
        ),
      ),
    );
    open = settled.flatMap((outcome, p) => {
      const positions = parts[p]![1];
      if (outcome.status === 'rejected') {
        if (outcome.reason instanceof MemberLost) return positions;
        throw outcome.reason;
      }
      positions.forEach((position, i) => {
        results[position] = outcome.value[i]!;
      });
      return [];
    });
  }
  return results;
}
