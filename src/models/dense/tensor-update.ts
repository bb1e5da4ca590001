// Updates a tensor shard's parameters segment by segment, and remembers how far it is: a thread that takes over goes on there.

import type { Arena } from '../../engine/arena.js';
import type { Kernel } from '../../engine/kernel/kernel.js';
import type { OptimizerStep } from '../../engine/optimizer.js';
import { apply } from '../../engine/optimizer.js';

/** Words of the update log behind the kernel's two (assembly/update.ts): the number of the update, and how many of its segments are done. */
const UPDATE = 2;
const DONE = 3;

/** Segments are numbered from 1 in the order in which they come: the kernel's ids. */
export class SegmentedUpdate {
  private readonly words: Int32Array;
  /** Of threads before this one. */
  private readonly done: number;
  private last = 0;

  /** update log: its address. */
  constructor(
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    private readonly updateLog: number,
    private readonly optimizer: OptimizerStep,
    update: number,
  ) {
    this.words = new Int32Array(arena.memory.buffer, updateLog, 4);
    if (Atomics.load(this.words, UPDATE) !== update) {
      // The number last: a death before it leaves the old one, and the next thread begins again.
      Atomics.store(this.words, 0, 0);
      Atomics.store(this.words, DONE, 0);
      Atomics.store(this.words, UPDATE, update);
    }
    this.done = Atomics.load(this.words, DONE);
  }

  /** Passes over so many segments if all of them are done. */
  skip(count: number): boolean {
    const areDone = this.last + count <= this.done;
    if (areDone) this.last += count;
    return areDone;
  }

  /** Updates the next segment. offset, length: in floats, of the parameter vector; gradient: its address. */
  apply(offset: number, length: number, gradient: number): void {
    this.last++;
    if (this.last <= this.done) return;
    const { parameters, firstMoment, secondMoment } = this.arena.regions;
    // One literal: objects put together from others cost more here than a short segment's update, of which a step may have a thousand.
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
    // Beside the id, since the kernel forgets how far an id was before it notes the next one.
    Atomics.store(this.words, DONE, this.last);
  }
}
