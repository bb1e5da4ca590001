// Owns where the shards of a run are: they stay there as long as nobody comes or goes, and nobody is much slower than thought.
import { shardRange } from '../../../src/data/shards.js';
import type { ArenaShape } from '../../../src/engine/arena.js';
import { assign, isWorthMoving } from './assignment.js';
import type { Member } from './member.js';

export class Placement {
  private current: { readonly members: readonly Member[]; readonly ends: readonly number[] } | undefined;

  /** shards: of the run. */
  constructor(private readonly shards: number) {}

  /** The ends of the members' ranges of so many items. Only all shards together have a place that they keep. */
  ends(count: number, members: readonly Member[], speeds: readonly number[]): readonly number[] {
    if (count !== this.shards) return assign(count, speeds);
    const { current } = this;
    const isSame =
      current?.members.length === members.length && members.every((member, i) => member === current.members[i]);
    if (current && isSame && !isWorthMoving(current.ends, speeds)) return current.ends;
    const ends = assign(count, speeds);
    this.current = { members, ends };
    return ends;
  }
}

/** The unlabelled images [start, end) that the last of the members, which has just come, is likely to need. */
export function firstImages(
  { shards, unlabelled, tensorShardBytes = 0 }: ArenaShape,
  speeds: readonly number[],
): readonly [number, number] {
  // Every slice of the hidden units sees all rows.
  if (tensorShardBytes > 0) return [0, unlabelled];
  const [start] = shardRange(unlabelled, shards, assign(shards, speeds).at(-2) ?? 0);
  return [start, unlabelled];
}
