// Owns a node's passes over slices: one task a worker, which does all passes of a step, each when what it depends on has come.
import type { Arena } from '../src/engine/arena.js';
import type { Logits, TensorResult, TensorShardRange, TensorStep, TensorTask } from '../src/engine/tensor-tasks.js';
import { exchangesOf, widthsOf } from '../src/models/dense/tensor-blocks.js';
import {
  give,
  giveUp,
  isGivenUp,
  passed,
  sumsOf,
  type TensorExchange,
  tensorExchangeOf,
} from '../src/models/dense/tensor-exchange.js';

/** The coordinator answers in a fraction of a millisecond, but only when the slowest worker has done its pass. */
const PATIENCE_MS = 250;

interface Asked {
  readonly tensorExchange: TensorExchange;
  /** Of the exchange that waits for its values. */
  readonly exchange: number;
  readonly work: readonly Promise<TensorResult>[];
}

export class TensorSteps {
  private steps = 0;
  /** The step that waits for values. */
  private asked: Asked | undefined;
  /** Tasks, and updates of which a task may have to be done again. */
  private readonly running = new Set<Promise<unknown>>();

  /** run: does a task, again if its thread is lost. */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly run: (task: TensorTask) => Promise<TensorResult>,
  ) {}

  /** The values that the last pass waits for: how many, and whether its slices are updated by them. */
  get awaited(): { readonly floats: number; readonly isLast: boolean } | undefined {
    if (!this.asked) return undefined;
    const { tensorExchange, exchange } = this.asked;
    const { model } = tensorExchange.tasks[0]!;
    const exchanges = exchangesOf(model);
    const { down } = widthsOf(model, exchanges[exchange]!);
    return { floats: down * tensorExchange.counts.rows, isLast: exchange === exchanges.length - 1 };
  }

  /** The sum of each subtree of slices that the range is made of; default: of all slices. */
  async forward(step: TensorStep, range?: TensorShardRange): Promise<Logits[]> {
    const tensorExchange = await this.begin(step, range);
    return this.sums({ tensorExchange, exchange: 0, work: tensorExchange.tasks.map((task) => this.start(task)) });
  }

  /** The same of the next pass, for which these values have come. */
  onward(values: Float32Array): Promise<Logits[]> {
    const { tensorExchange, exchange, work } = this.give(values);
    return this.sums({ tensorExchange, exchange: exchange + 1, work });
  }

  /** The values after the last pass: updates its slices. */
  backward(values: Float32Array): Promise<TensorResult[]> {
    return this.finish(this.give(values));
  }

  /** All passes of a step, and its update, where all values are known already. */
  async replay(step: TensorStep, given: readonly Float32Array[], range: TensorShardRange): Promise<TensorResult[]> {
    const tensorExchange = await this.begin(step, range);
    for (const [exchange, values] of given.entries()) give(tensorExchange, exchange, values);
    return this.finish({
      tensorExchange,
      exchange: given.length,
      work: tensorExchange.tasks.map((task) => this.start(task)),
    });
  }

  /** When the step before is done, or given up where nobody gave it its values. */
  private async begin(step: TensorStep, range: TensorShardRange | undefined): Promise<TensorExchange> {
    if (this.asked) giveUp(this.asked.tensorExchange);
    this.asked = undefined;
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

  private async sums(asked: Asked): Promise<Logits[]> {
    const { tensorExchange, exchange, work } = asked;
    this.asked = asked;
    await Promise.all(work.map((each, group) => passed(tensorExchange, exchange, group, each)));
    return sumsOf(tensorExchange, exchange);
  }

  /** To those who wait, and to those whose patience has ended. */
  private give(values: Float32Array): Asked {
    if (!this.asked) throw new Error('a backward pass comes after a forward pass');
    const { tensorExchange, exchange, work } = this.asked;
    give(tensorExchange, exchange, values);
    const again = work.map(async (each, group) => {
      const result = await each;
      return result.isUpdated || isGivenUp(tensorExchange) ? result : this.start(tensorExchange.tasks[group]!);
    });
    // Who waits for sums looks at a task no longer than until it has them: its end may come when nobody does.
    for (const each of again) each.catch(() => undefined);
    this.asked = undefined;
    return { tensorExchange, exchange, work: again };
  }

  private finish({ work }: Asked): Promise<TensorResult[]> {
    return this.follow(Promise.all(work));
  }
}
