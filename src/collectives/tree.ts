// The one tree in which gradients are summed: over shard indices, split at the largest power of two below the count. A
// machine that has all shards of a subtree can sum it alone, and the bits of the whole sum stay the same
// (engine/kernel/assembly/optimizers.ts).

/** The most shards of a run: the kernel's tree of sums has room for no more (engine/kernel/kernel.ts). */
export const MOST_SHARDS = 2 ** 16;

/** Shards [first, first + count). */
export interface Subtree {
  readonly first: number;
  readonly count: number;
}

/** Returns the fewest subtrees of the tree over `shards` shards that cover exactly those in `owned`, in order. */
export function subtreesOf(owned: ReadonlySet<number>, shards: number): Subtree[] {
  return cover({ first: 0, count: shards }, owned);
}

/** Returns the subtrees of the tree over `count` shards that cover [first, end). */
export function subtreesIn({ first, end }: { readonly first: number; readonly end: number }, count: number): Subtree[] {
  return subtreesOf(new Set(Array.from({ length: end - first }, (_, i) => first + i)), count);
}

/**
 * Joins values of the subtrees that cover a tree. known: returns the value of a subtree, or undefined if those of its
 * halves are to be joined.
 */
export function joined<T>(
  tree: Subtree,
  known: (subtree: Subtree) => T | undefined,
  join: (left: T, right: T) => T,
): T {
  const found = known(tree);
  if (found !== undefined) return found;
  const [left, right] = halves(tree);
  return join(joined(left, known, join), joined(right, known, join));
}

function cover(tree: Subtree, owned: ReadonlySet<number>): Subtree[] {
  const held = countHeld(tree, owned);
  if (held === tree.count) return [tree];
  if (held === 0) return [];
  return halves(tree).flatMap((half) => cover(half, owned));
}

function countHeld({ first, count }: Subtree, owned: ReadonlySet<number>): number {
  let held = 0;
  for (let shard = first; shard < first + count; shard++) held += Number(owned.has(shard));
  return held;
}

/** Returns the two subtrees of a tree of two shards or more. */
export function halves({ first, count }: Subtree): readonly [Subtree, Subtree] {
  const half = 2 ** (31 - Math.clz32(count - 1));
  return [
    { first, count: half },
    { first: first + half, count: count - half },
  ];
}
