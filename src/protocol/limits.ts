// The limits of messages: how long a frame may be, how many values a message may have, and of how many things.

/** Bytes of a KiB and of a MiB. */
export const KIB = 2 ** 10;
export const MIB = 2 ** 20;

/**
 * The most bytes of a bulk frame's payload: large enough that frames cost little, small enough to overlap with
 * computing.
 */
export const MAX_BULK = 2 ** 20;

/** The most bytes of the name of a message's kind. */
export const MOST_KIND_BYTES = 255;

/** How deep arrays and maps may be nested. The deepest message has five levels. */
export const MOST_DEPTH = 16;

/** More values than any message has, unless it lists shards. */
export const MOST_VALUES = 2 ** 12;

/** The most steps of a replay. The replay log keeps no more (coordinator/executors/cluster/cluster-executor.ts). */
export const MOST_STEPS = 2 ** 12;

/** Twice the levels of a tree over the most tensor shards. */
export const MOST_SUMS = 64;

/** The most values in a message that lists many shards or images. They are decoded quickly. */
export const MANY = 2 ** 18;

/** The most values in a message that lists steps, or their results for all classes and each shard. */
export const VERY_MANY = 2 ** 20;

/**
 * The most bytes of images. A node makes room for all of them, and uses memory for those that come; no machine has this
 * much.
 */
export const MOST_IMAGE_BYTES = 2 ** 40;

/** The most nodes, which is more than a coordinator accepts. */
export const MOST_NODES = 4096;
