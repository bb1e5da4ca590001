// Reports how much of a step's gradient has been written, so that it can be sent before all of it is there.
import type { Arena } from './arena.js';

/**
 * The progress of each shard's gradient. A gradient is written in the order of its parameters as far as possible: the
 * first layer's come last in time, block by block. If a task is repeated because its thread was lost, it writes the
 * same bits, so that the progress stays valid.
 */
export class GradientProgress {
  private readonly words: Int32Array;

  constructor({ memory, regions, shape }: Arena) {
    this.words = new Int32Array(memory.buffer, regions.progress, shape.shards);
  }

  /** Resets the progress. It is called before the tasks that compute these shards' gradients. */
  begin(shards: Iterable<number>): void {
    for (const shard of shards) Atomics.store(this.words, shard, 0);
  }

  /** Reports that this many first elements of the shard's gradient buffer are final. */
  reached(shard: number, elements: number): void {
    if (elements <= Atomics.load(this.words, shard)) return;
    Atomics.store(this.words, shard, elements);
    Atomics.notify(this.words, shard);
  }

  /**
   * Resolves when this many elements are final, or when `work`, which computes them, has ended. Rejects if `work` does.
   */
  async until(shard: number, elements: number, work: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    const over = work.then(end, end);
    for (;;) {
      const value = Atomics.load(this.words, shard);
      if (value >= elements) return;
      if (isOver) return void (await work);
      const change = Atomics.waitAsync(this.words, shard, value);
      if (change.async) await Promise.race([change.value, over]);
    }
  }
}
