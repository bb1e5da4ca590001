// What one thread needs to compute: the native products, the kernel, and the networks it has built so far. It holds
// only caches, so that a new thread's engine gives the same bits.

import { CacheOf, cached } from '../cached.js';
import { Samplers, type ShardOrder, type ShardSampler } from '../data/sampling.js';
import type { Arena } from '../engine/arena.js';
import { type Kernel, loadKernel } from '../engine/kernel/kernel.js';
import { Products } from '../engine/products.js';
import type { DenseModel } from './dense/model.js';
import type { RowCounts, TensorShardPlaces } from './dense/tensor-layout.js';
import { TensorShard } from './dense/tensor-shard.js';
import type { Passes } from './kind.js';
import type { Model } from './model.js';
import { needsTensorFlow, passesOf, prepare } from './models.js';

/** What identifies a tensor shard's place, besides the counts of rows. */
export interface TensorShardKey {
  readonly shards: number;
  readonly group: number;
  readonly groups: number;
  readonly block: number;
  readonly shard: number;
}

/** The engine of a thread. It caches by a model's object, so that an equal model in another object is built again. */
export interface Engine {
  readonly arena: Arena;
  readonly kernel: Kernel;
  readonly products: Products;
  /** Prepares a model. It is awaited before the model's networks are used. */
  prepare(model: Model): Promise<void>;
  /**
   * Returns the passes of a network. of: 'average' uses the exponential average of the weights instead of the weights,
   * for passes that do not train.
   */
  network(model: Model, rows: number, workspace: number, training: boolean, of?: 'average'): Passes;
  tensorShard(model: DenseModel, counts: RowCounts, places: TensorShardPlaces, of: TensorShardKey): TensorShard;
  sampler(order: ShardOrder): ShardSampler;
}

/** Makes an engine. Throws as openNative() does. */
export function createEngine(arena: Arena, products = new Products(arena.memory)): Engine {
  const kernel = loadKernel(arena.memory);
  const prepared = new WeakMap<Model, Promise<void>>();
  const ready = new WeakMap<Model, unknown>();
  // This arena has the average of the weights at the place of the weights.
  const averaged: Arena = { ...arena, regions: { ...arena.regions, parameters: arena.regions.average } };
  const averagesReady = new WeakMap<Model, unknown>();
  const networks = new CacheOf<Model, Passes>();
  const tensorShards = new CacheOf<DenseModel, TensorShard>();
  const samplers = new Samplers();
  return {
    arena,
    kernel,
    products,
    async prepare(model) {
      if (!needsTensorFlow(model)) return;
      await cached(prepared, model, async () => {
        ready.set(model, await prepare(model, arena));
        if (arena.shape.averages) averagesReady.set(model, await prepare(model, averaged));
      });
    },
    network(model, rows, workspace, training, weights) {
      const build = () => {
        const [of, made] = weights === 'average' ? [averaged, averagesReady] : [arena, ready];
        const options = { workspace, training, prepared: made.get(model) };
        return passesOf(model, rows, { products, kernel, arena: of }, options);
      };
      return networks.get(model, [rows, workspace, training, weights], build);
    },
    tensorShard(model, counts, places, { shards, group, groups, block, shard }) {
      const build = () => new TensorShard(products, kernel, arena, model, counts, { places, group, block, shard });
      return tensorShards.get(model, [counts.rows, counts.clean, shards, group, groups, block, shard], build);
    },
    sampler: (order) => samplers.of(order),
  };
}
