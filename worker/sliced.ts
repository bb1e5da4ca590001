// Owns a node's passes over slices: one task a worker, which does all passes of a step, each when what it depends on has come.
import type { Arena } from '../src/engine/arena.js';
import { exchangesOf, widthsOf } from '../src/engine/pairs.js';
import { give, giveUp, isGivenUp, passed, type Slicing, slicingOf, sumsOf } from '../src/engine/slicing.js';
import type { Logits, SlicedStep, SliceRange, SliceResult, SliceTask } from '../src/protocol/slices.js';

/** The coordinator answers in a fraction of a millisecond, but only when the slowest worker has done its pass. */
const PATIENCE_MS = 250;

interface Asked {
  readonly slicing: Slicing;
  /** Of the exchange that waits for its values. */
  readonly exchange: number;
  readonly work: readonly Promise<SliceResult>[];
}

export class SlicedSteps {
  private steps = 0;
  /** The step that waits for values. */
  private asked: Asked | undefined;
  /** Tasks, and updates of which a task may have to be done again. */
  private readonly running = new Set<Promise<unknown>>();

  /** run: does a task, again if its thread is lost. */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly run: (task: SliceTask) => Promise<SliceResult>,
  ) {}

  /** The values that the last pass waits for: how many, and whether its slices are updated by them. */
  get awaited(): { readonly floats: number; readonly isLast: boolean } | undefined {
    if (!this.asked) return undefined;
    const { slicing, exchange } = this.asked;
    const { model } = slicing.tasks[0]!;
    const exchanges = exchangesOf(model);
    const { down } = widthsOf(model, exchanges[exchange]!);
    return { floats: down * slicing.counts.rows, isLast: exchange === exchanges.length - 1 };
  }

  /** The sum of each subtree of slices that the range is made of; default: of all slices. */
  async forward(step: SlicedStep, range?: SliceRange): Promise<Logits[]> {
    const slicing = await this.begin(step, range);
    return this.sums({ slicing, exchange: 0, work: slicing.tasks.map((task) => this.start(task)) });
  }

  /** The same of the next pass, for which these values have come. */
  onward(values: Float32Array): Promise<Logits[]> {
    const { slicing, exchange, work } = this.give(values);
    return this.sums({ slicing, exchange: exchange + 1, work });
  }

  /** The values after the last pass: updates its slices. */
  backward(values: Float32Array): Promise<SliceResult[]> {
    return this.finish(this.give(values));
  }

  /** All passes of a step, and its update, where all values are known already. */
  async replay(step: SlicedStep, given: readonly Float32Array[], range: SliceRange): Promise<SliceResult[]> {
    const slicing = await this.begin(step, range);
    for (const [exchange, values] of given.entries()) give(slicing, exchange, values);
    return this.finish({ slicing, exchange: given.length, work: slicing.tasks.map((task) => this.start(task)) });
  }

  /** When the step before is done, or given up where nobody gave it its values. */
  private async begin(step: SlicedStep, range: SliceRange | undefined): Promise<Slicing> {
    if (this.asked) giveUp(this.asked.slicing);
    this.asked = undefined;
    while (this.running.size > 0) await Promise.allSettled(this.running);
    this.steps++;
    return slicingOf(this.arena, step, { number: this.steps, workers: this.workers, patience: PATIENCE_MS, range });
  }

  private start(task: SliceTask): Promise<SliceResult> {
    return this.follow(this.run(task));
  }

  private follow<T>(work: Promise<T>): Promise<T> {
    const ended = () => this.running.delete(work);
    this.running.add(work);
    work.then(ended, ended);
    return work;
  }

  private async sums(asked: Asked): Promise<Logits[]> {
    const { slicing, exchange, work } = asked;
    this.asked = asked;
    await Promise.all(work.map((each, group) => passed(slicing, exchange, group, each)));
    return sumsOf(slicing, exchange);
  }

  /** To those who wait, and to those whose patience has ended. */
  private give(values: Float32Array): Asked {
    if (!this.asked) throw new Error('a backward pass comes after a forward pass');
    const { slicing, exchange, work } = this.asked;
    give(slicing, exchange, values);
    const again = work.map(async (each, group) => {
      const result = await each;
      return result.isUpdated || isGivenUp(slicing) ? result : this.start(slicing.tasks[group]!);
    });
    // Who waits for sums looks at a task no longer than until it has them: its end may come when nobody does.
    for (const each of again) each.catch(() => undefined);
    this.asked = undefined;
    return { slicing, exchange, work: again };
  }

  private finish({ work }: Asked): Promise<SliceResult[]> {
    return this.follow(Promise.all(work));
  }
}
