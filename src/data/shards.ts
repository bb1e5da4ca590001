// The rule by which everything is divided over shards.

/**
 * Returns the part [start, end) of `total` things that a shard owns: from floor(shard * total / shards) to floor((shard
 * + 1) * total / shards). The shards cover everything once, in order, and their sizes differ by at most one. The rule
 * serves the unlabelled images as well as the rows of a mini-batch. It is exact for totals up to 2^53 - 1 and up to
 * 2^26 shards.
 */
export function shardRange(total: number, shards: number, shard: number): readonly [start: number, end: number] {
  // shard * total may exceed 2^53, so that the multiple of shards and the remainder are divided separately.
  const remainder = total % shards;
  const quotient = (total - remainder) / shards;
  const boundary = (index: number): number => index * quotient + Math.floor((index * remainder) / shards);
  return [boundary(shard), boundary(shard + 1)];
}
