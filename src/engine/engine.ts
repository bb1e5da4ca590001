// Owns what one thread needs to compute: the native products, the kernel, and the networks it has built so far.
// Only caches: a new thread's engine gives the same bits.
import { ShardSampler } from '../data/sampling.js';
import type { Arena } from './arena.js';
import { type Kernel, loadKernel } from './kernel/kernel.js';
import type { Model } from './model.js';
import { Network } from './network.js';
import { Slice } from './slice.js';
import type { RowCounts, SlicePlaces } from './slices.js';
import { Products } from './tensorflow.js';

/** What tells where a slice lies, besides the counts of rows. */
export interface SliceOf {
  readonly shards: number;
  readonly group: number;
  readonly groups: number;
  readonly pair: number;
  readonly slice: number;
}

export interface Engine {
  readonly arena: Arena;
  readonly kernel: Kernel;
  readonly writesInPlace: boolean;
  network(model: Model, rows: number, lane: number, training: boolean): Network;
  slice(model: Model, counts: RowCounts, places: SlicePlaces, of: SliceOf): Slice;
  sampler(order: { seed: number; stage: number; shard: number; count: number }): ShardSampler;
}

export function createEngine(arena: Arena): Engine {
  const products = new Products(arena.memory);
  const kernel = loadKernel(arena.memory);
  const networks = new Map<string, Network>();
  const slices = new Map<string, Slice>();
  const samplers = new Map<string, ShardSampler>();
  return {
    arena,
    kernel,
    writesInPlace: products.writesInPlace,
    network(model, rows, lane, training) {
      const build = () => new Network(products, kernel, arena, model, rows, { lane, training });
      return cached(networks, JSON.stringify([model, rows, lane, training]), build);
    },
    slice(model, counts, places, { shards, group, groups, pair, slice }) {
      const build = () => new Slice(products, kernel, arena, model, counts, { places, group, pair, slice });
      return cached(slices, JSON.stringify([model, counts, shards, group, groups, pair, slice]), build);
    },
    sampler: (order) => cached(samplers, JSON.stringify(order), () => new ShardSampler(order)),
  };
}

/** The value of a key, made when it is first asked for. */
export function cached<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
