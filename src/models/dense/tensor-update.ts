// Updates a tensor shard's parameters segment by segment, and logs its progress, so that another thread can continue.

import type { Arena } from '../../engine/arena.js';
import type { Kernel } from '../../engine/kernel/kernel.js';
import type { OptimizerStep } from '../../engine/optimizer.js';
import { apply } from '../../engine/optimizer.js';

/**
 * Two words of the update log, behind the kernel's own two (assembly/optimizers.ts): the number of the update, and how
 * many of its segments are done.
 */
const UPDATE = 2;
const DONE = 3;

/** The segments of one update. They are numbered from 1 in their order; the numbers are the kernel's ids. */
export class SegmentedUpdate {
  private readonly words: Int32Array;
  /** The segments that threads before this one have done. */
  private readonly done: number;
  private last = 0;

  /** updateLog: its address. */
  constructor(
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    private readonly updateLog: number,
    private readonly optimizer: OptimizerStep,
    update: number,
  ) {
    this.words = new Int32Array(arena.memory.buffer, updateLog, 4);
    if (Atomics.load(this.words, UPDATE) !== update) {
      // The number is stored last. If the thread dies before that, the log has the old number, and the next thread
      // begins again.
      Atomics.store(this.words, 0, 0);
      Atomics.store(this.words, DONE, 0);
      Atomics.store(this.words, UPDATE, update);
    }
    this.done = Atomics.load(this.words, DONE);
  }

  /** Skips this many segments if all of them are done, and returns whether it did. */
  skip(count: number): boolean {
    const areDone = this.last + count <= this.done;
    if (areDone) this.last += count;
    return areDone;
  }

  /** Updates the next segment. offset, length: in floats of the parameter vector. gradient: its address. */
  apply(offset: number, length: number, gradient: number): void {
    this.last++;
    if (this.last <= this.done) return;
    const { parameters, firstMoment, secondMoment } = this.arena.regions;
    // One literal, because building the object from others takes longer than a short segment's update, and a step may
    // have a thousand segments.
    apply(this.kernel, this.optimizer, {
      p: parameters + offset * 4,
      m: firstMoment + offset * 4,
      v: secondMoment + offset * 4,
      gradientBuffers: gradient,
      stride: 0,
      shards: 1,
      start: 0,
      end: length,
      id: this.last,
      updateLog: this.updateLog,
    });
    // This is stored beside the id, because the kernel loses the progress of an id when it logs the next one.
    Atomics.store(this.words, DONE, this.last);
  }
}
