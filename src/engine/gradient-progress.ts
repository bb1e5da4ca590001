// Tells how much of a step's gradient has been written, so that whoever sends it need not wait for the last of it.
import type { Arena } from './arena.js';

/**
 * A gradient is written in the order of its parameters where it can be: the first layer's, which are computed last, block by block. A task that is
 * done again after its thread was lost writes the same bits again, so that what has been reached stays right.
 */
export class Progress {
  private readonly words: Int32Array;

  constructor({ memory, regions, shape }: Arena) {
    this.words = new Int32Array(memory.buffer, regions.progress, shape.shards);
  }

  /** Nothing is written yet. To be called before the tasks that compute these shards' gradients. */
  begin(shards: Iterable<number>): void {
    for (const shard of shards) Atomics.store(this.words, shard, 0);
  }

  /** The first so many elements of the shard's gradient buffer are what they will be. */
  reached(shard: number, elements: number): void {
    if (elements <= Atomics.load(this.words, shard)) return;
    Atomics.store(this.words, shard, elements);
    Atomics.notify(this.words, shard);
  }

  /** Resolves when so many elements are, or `work`, which computes them, has ended; rejects with it. */
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
