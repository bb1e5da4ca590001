// The one rule by which anything is divided over shards.

/**
 * The part [start, end) of `total` things that a shard owns: floor(shard * total / shards) to floor((shard + 1) * total / shards).
 * The shards cover everything once, in order, and differ by one at most. Used for the unlabelled images and for the rows of a
 * mini-batch alike. Exact for totals up to 2^53 - 1 and up to 2^26 shards.
 */
export function shardRange(total: number, shards: number, shard: number): readonly [start: number, end: number] {
  // shard * total may pass 2^53: divide the whole multiple of shards and the remainder apart.
  const remainder = total % shards;
  const quotient = (total - remainder) / shards;
  const boundary = (index: number): number => index * quotient + Math.floor((index * remainder) / shards);
  return [boundary(shard), boundary(shard + 1)];
}
