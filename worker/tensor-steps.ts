// Does tensor-parallel steps on one machine: the passes of its threads over tensor shards, and the layers between two
// passes.

import { CacheOf } from '../src/cached.js';
import type { Arena } from '../src/engine/arena.js';
import { loadKernel } from '../src/engine/kernel/kernel.js';
import { notFinite } from '../src/failures.js';
import { dropoutOf } from '../src/models/dense/layer.js';
import type { DenseModel } from '../src/models/dense/model.js';
import { NarrowLayers } from '../src/models/dense/narrow-layers.js';
import { FINITE_BOUND } from '../src/models/dense/network.js';
import { exchangesOf, widthsOf } from '../src/models/dense/tensor-blocks.js';
import {
  abandon,
  give,
  isAbandoned,
  passed,
  sumsOf,
  type TensorExchange,
  tensorExchangeOf,
} from '../src/models/dense/tensor-exchange.js';
import { placesIn, rowCountsOf, tensorShardCount } from '../src/models/dense/tensor-layout.js';
import type { Logits, TensorResult, TensorShardRange, TensorStep, TensorTask } from '../src/models/tensor-tasks.js';
import { keyOf, laneStates } from '../src/random.js';
import type { ForwardPass } from '../src/training/executor.js';

/**
 * Milliseconds that a thread waits for values. They usually come in less than one millisecond after the slowest worker
 * has done its pass.
 */
const PATIENCE_MS = 250;

/** A step whose tasks wait for the values of one exchange. */
interface PendingStep {
  readonly tensorExchange: TensorExchange;
  /** The number of that exchange in the step. */
  readonly exchange: number;
  readonly work: readonly Promise<TensorResult>[];
}

/**
 * Does the passes over some tensor shards. One task per thread does all passes of a step, each as soon as its input has
 * come.
 */
export class TensorSteps {
  private steps = 0;
  private pending: PendingStep | undefined;
  /** Tasks, and updates that may still have to repeat a task. */
  private readonly running = new Set<Promise<unknown>>();

  /** @param run does a task, and does it again if its thread is lost */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly run: (task: TensorTask) => Promise<TensorResult>,
  ) {}

  /** The number of values that the last pass waits for, and whether they update its tensor shards. */
  get awaited(): { readonly floats: number; readonly isLast: boolean } | undefined {
    if (!this.pending) return undefined;
    const { tensorExchange, exchange } = this.pending;
    const { model } = tensorExchange.tasks[0]!;
    const exchanges = exchangesOf(model);
    const { down } = widthsOf(model, exchanges[exchange]!);
    return { floats: down * tensorExchange.counts.rows, isLast: exchange === exchanges.length - 1 };
  }

  /**
   * Does the first pass of a step. Returns the sum of each subtree of tensor shards in the range, by default of all
   * tensor shards.
   */
  async forward(step: TensorStep, range?: TensorShardRange): Promise<Logits[]> {
    const tensorExchange = await this.begin(step, range);
    return this.sums({ tensorExchange, exchange: 0, work: tensorExchange.tasks.map((task) => this.start(task)) });
  }

  /** Does the next pass, which takes these values. Returns sums as forward() does. */
  onward(values: Float32Array): Promise<Logits[]> {
    const { tensorExchange, exchange, work } = this.give(values);
    return this.sums({ tensorExchange, exchange: exchange + 1, work });
  }

  /** Updates the tensor shards by the values that follow the last pass. */
  backward(values: Float32Array): Promise<TensorResult[]> {
    return this.finish(this.give(values));
  }

  /** Does all passes of a step and its update, with values that are all known already. */
  async replay(step: TensorStep, given: readonly Float32Array[], range: TensorShardRange): Promise<TensorResult[]> {
    const tensorExchange = await this.begin(step, range);
    for (const [exchange, values] of given.entries()) give(tensorExchange, exchange, values);
    return this.finish({
      tensorExchange,
      exchange: given.length,
      work: tensorExchange.tasks.map((task) => this.start(task)),
    });
  }

  /** Begins a step when the one before is done, or is given up because its values never came. */
  private async begin(step: TensorStep, range: TensorShardRange | undefined): Promise<TensorExchange> {
    if (this.pending) abandon(this.pending.tensorExchange);
    this.pending = undefined;
    while (this.running.size > 0) await Promise.allSettled(this.running);
    this.steps++;
    return tensorExchangeOf(this.arena, step, {
      number: this.steps,
      workers: this.workers,
      patience: PATIENCE_MS,
      range,
    });
  }

  private start(task: TensorTask): Promise<TensorResult> {
    return this.follow(this.run(task));
  }

  private follow<T>(work: Promise<T>): Promise<T> {
    const ended = () => this.running.delete(work);
    this.running.add(work);
    work.then(ended, ended);
    return work;
  }

  private async sums(pending: PendingStep): Promise<Logits[]> {
    const { tensorExchange, exchange, work } = pending;
    this.pending = pending;
    await Promise.all(work.map((each, group) => passed(tensorExchange, exchange, group, each)));
    return sumsOf(tensorExchange, exchange);
  }

  /** Gives the values to tasks that wait, and starts those again that have stopped waiting. */
  private give(values: Float32Array): PendingStep {
    if (!this.pending) throw new Error('a backward pass comes after a forward pass');
    const { tensorExchange, exchange, work } = this.pending;
    give(tensorExchange, exchange, values);
    const again = work.map(async (each, group) => {
      const result = await each;
      return result.isUpdated || isAbandoned(tensorExchange) ? result : this.start(tensorExchange.tasks[group]!);
    });
    // A caller that waits for sums drops a task once it has them. The task may fail later, when nothing waits for it.
    for (const each of again) each.catch(() => undefined);
    this.pending = undefined;
    return { tensorExchange, exchange, work: again };
  }

  private finish({ work }: PendingStep): Promise<TensorResult[]> {
    return this.follow(Promise.all(work));
  }
}

/** A pass over all tensor shards, wherever those are, with its sums over them. */
export interface ShardPass extends Logits {
  /** Does the next pass, which takes these values. */
  onward(values: Float32Array): Promise<ShardPass>;
  /** Updates all tensor shards by the values that follow the last pass. */
  backward(values: Float32Array): Promise<TensorResult[]>;
}

/** Makes a pass over tensor shards for an executor that itself knows its position in the step. */
export function passOf(
  sums: Logits,
  next: {
    readonly onward: (values: Float32Array) => Promise<Logits>;
    readonly backward: ShardPass['backward'];
  },
): ShardPass {
  const onward = async (values: Float32Array) => passOf(await next.onward(values), next);
  return { ...sums, onward, backward: next.backward };
}

/**
 * Does whole tensor-parallel steps. No tensor shard has the narrow layers in the middle of a network: they are computed
 * here, once for all shards, with the parameters of this arena.
 */
export class TensorPasses {
  private readonly kernel;
  private readonly narrowLayersOfEach = new CacheOf<DenseModel, NarrowLayers>();
  /** The number of forward passes so far. It shows when a pass is used that is not the latest. */
  private forwards = 0;
  private updates = 0;

  /**
   * @param workers the number of threads of the executor that has the arena
   * @param first does the first pass of a step over all tensor shards
   */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly first: (step: TensorStep) => Promise<ShardPass>,
  ) {
    this.kernel = loadKernel(arena.memory);
  }

  async forward(step: TensorStep): Promise<ForwardPass> {
    const number = ++this.forwards;
    const first = await this.first(step);
    const pass: ForwardPass =
      exchangesOf(step.model).length === 1 ? first : await this.throughNarrowLayers(step, first);
    const backward = async (gradient: Float32Array) => {
      if (number !== this.forwards) throw new Error('a backward pass comes once, after the latest forward pass');
      this.forwards++;
      return pass.backward(gradient);
    };
    return { ...pass, backward };
  }

  /**
   * Does the rest of a forward pass. The backward pass that it returns throws E_NOT_FINITE before anything is updated.
   */
  private async throughNarrowLayers(step: TensorStep, first: ShardPass): Promise<ForwardPass> {
    const narrowLayers = this.narrowLayersOf(step);
    const { seed, stage, step: number } = step;
    const inner = narrowLayers.forward(first.logits, (layer) =>
      laneStates(keyOf(seed, 'mask', stage, number, 0, layer + 1)),
    );
    const output = await first.onward(inner);
    const backward = async (gradient: Float32Array) => {
      const upper = await output.onward(gradient);
      const below = narrowLayers.backward(upper.logits);
      const scale = dropoutOf(step.model.layers[0]!.dropout, 0).scale * dropoutOf(step.model.inputDropout, 0).scale;
      const areFinite =
        below.areFinite &&
        upper.activationBound * narrowLayers.outputBound < FINITE_BOUND &&
        first.activationBound * below.largest < FINITE_BOUND &&
        scale * first.weightBound * below.largest < FINITE_BOUND;
      if (!areFinite) throw notFinite(`the gradient is not finite in stage ${step.stage}, step ${step.step}`);
      const results = upper.backward(below.gradient);
      this.updates++;
      narrowLayers.update(step.optimizer, this.updates);
      return results;
    };
    return { ...output, backward };
  }

  private narrowLayersOf(step: TensorStep): NarrowLayers {
    const { arena, kernel, narrowLayersOfEach, workers } = this;
    const { model, shards, labelledImages } = step;
    const counts = rowCountsOf(labelledImages.length / arena.shape.pixels, step);
    const tensorShards = tensorShardCount(model, shards);
    const groups = Math.min(workers, tensorShards);
    return narrowLayersOfEach.get(model, [counts.rows, counts.clean, tensorShards, groups], () => {
      const { narrowLayers } = placesIn(arena, model, counts, tensorShards, groups);
      return new NarrowLayers(kernel, arena, model, counts.rows, narrowLayers);
    });
  }
}
