// Draws the rows of a step: epochs without replacement, in which every draw can be computed from its number alone.
import { cached } from '../cached.js';
import { keyOf, Stream } from '../random.js';
import { shardRange } from './shards.js';

/** What an order of draws depends on. Stages draw different orders from one seed. */
interface Order {
  readonly seed: number;
  readonly stage: number;
  /** The number of things to draw from: at least 1. */
  readonly count: number;
}

interface LabelledOrder extends Order {
  readonly batch: number;
}

export interface ShardOrder extends Order {
  readonly shard: number;
}

/**
 * Draws from the labelled set, one batch after another. It caches the last permutation, because a large one takes
 * longer than a step.
 */
export class LabelledSampler {
  #key = '';
  #permutation: Uint32Array = new Uint32Array();

  /** Draws a batch like labelledBatch(). */
  draw({ seed, stage, count, batch }: LabelledOrder, step: number): Uint32Array {
    const stepsPerEpoch = Math.ceil(count / batch);
    const epoch = Math.floor(step / stepsPerEpoch);
    const key = `${seed} ${stage} ${epoch} ${count}`;
    if (key !== this.#key) this.#permutation = new Stream(keyOf(seed, 'labelled', stage, epoch)).permutation(count);
    this.#key = key;
    const start = (step % stepsPerEpoch) * batch;
    return this.#permutation.slice(start, start + batch);
  }
}

/**
 * Returns the positions in the labelled set that a step uses. An epoch has ceil(count / batch) steps and an order of
 * its own. Its last step is shorter if batch does not divide count (100 rows in batches of 32: 32, 32, 32, 4).
 * @param step from 0
 */
export const labelledBatch = (order: LabelledOrder, step: number): Uint32Array =>
  new LabelledSampler().draw(order, step);

/**
 * The order in which a shard draws its unlabelled images. The draws are numbered 0, 1, 2, ...; draw k is entry k mod
 * count of the permutation of epoch floor(k / count), so that an epoch draws each image once, whatever the sizes of the
 * batches. It caches the last permutation and nothing else, so that any thread can continue at any draw.
 */
export class ShardSampler {
  readonly #order: ShardOrder;
  #epoch = -1;
  #permutation: Uint32Array = new Uint32Array();

  constructor(order: ShardOrder) {
    this.#order = order;
  }

  /** Returns the positions (0 to count - 1) within the shard of the draws firstDraw to firstDraw + n - 1. */
  draw(firstDraw: number, n: number): Uint32Array {
    const { seed, stage, shard, count } = this.#order;
    const positions = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      const epoch = Math.floor((firstDraw + i) / count);
      if (epoch !== this.#epoch) {
        this.#permutation = new Stream(keyOf(seed, 'unlabelled', stage, shard, epoch)).permutation(count);
        this.#epoch = epoch;
      }
      positions[i] = this.#permutation[(firstDraw + i) % count]!;
    }
    return positions;
  }
}

/** Keeps the sampler of each order that was asked for. */
export class Samplers {
  readonly #samplers = new Map<string, ShardSampler>();

  of(order: ShardOrder): ShardSampler {
    const { seed, stage, shard, count } = order;
    return cached(this.#samplers, `${seed} ${stage} ${shard} ${count}`, () => new ShardSampler(order));
  }
}

/**
 * Returns the positions in the whole set, of `count`, of a step's `batch` rows: the draws of all shards, one after the
 * other.
 */
export function drawOfShards(
  samplerOf: (order: ShardOrder) => ShardSampler,
  step: Order & { readonly step: number; readonly shards: number; readonly batch: number },
): Uint32Array {
  const { seed, stage, count, shards, batch } = step;
  const positions = new Uint32Array(batch);
  for (let shard = 0; shard < shards; shard++) {
    const [first, end] = shardRange(count, shards, shard);
    const [firstRow, endRow] = shardRange(batch, shards, shard);
    const rows = endRow - firstRow;
    if (rows === 0) continue;
    const drawn = samplerOf({ seed, stage, shard, count: end - first }).draw(step.step * rows, rows);
    for (const [r, position] of drawn.entries()) positions[firstRow + r] = first + position;
  }
  return positions;
}
