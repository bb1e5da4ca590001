// Sums gradient buffers outside of an update: a node's partial sums, and the total of several nodes.
import { type Arena, gradientStride } from '../engine/arena.js';
import { loadKernel } from '../engine/kernel/kernel.js';
import type { Subtree } from './tree.js';

/** The floats that are summed and sent at once: a multiple of UPDATE_CHUNK, and at most one frame. */
export const CHUNK = 2 ** 18;

export class GradientSums {
  private readonly kernel;
  private readonly counts;

  constructor(private readonly arena: Arena) {
    const { regions, memory, shape } = arena;
    this.kernel = loadKernel(memory);
    this.counts = new Int32Array(memory.buffer, regions.counts, shape.shards).fill(1);
  }

  /**
   * Sets which subtrees are already summed, in the gradient buffer of their first shard. All other buffers hold single
   * gradients.
   */
  arrived(subtrees: readonly Subtree[]): void {
    this.counts.fill(1);
    for (const { first, count } of subtrees) this.counts[first] = count;
  }

  /**
   * Sets the arena's total to the sum over all shards of floats [start, end); start is a multiple of UPDATE_CHUNK.
   * Returns whether all of them are finite.
   */
  total(shards: number, start: number, end: number): boolean {
    return this.sum({ first: 0, count: shards }, start, end, this.arena.regions.total);
  }

  /** Sets the arena's total to the sum of these gradient buffers, each a single gradient, as a tree of their own. */
  partial(gradientBuffers: Subtree, start: number, end: number): void {
    this.counts.fill(1);
    this.sum(gradientBuffers, start, end, this.arena.regions.total);
  }

  /**
   * Returns whether floats [start, end) of a sum that has arrived in the gradient buffer of its first shard are all
   * finite.
   */
  isFinite(subtree: Subtree, start: number, end: number): boolean {
    this.arrived([subtree]);
    return this.sum(subtree, start, end, this.arena.regions.outgoing);
  }

  isTotalFinite(start: number, end: number): boolean {
    const { total, sums } = this.arena.regions;
    // This is a tree of one buffer, which is copied onto itself.
    return this.kernel.sum(total, 0, 0, 0, 1, start, end, total, sums) === 1;
  }

  /**
   * Sums floats [start, end) of the subtree's gradient buffers, each a single gradient, to send them. Returns the
   * address of the vector that has the sum; for one buffer, that is its own. It writes to no gradient buffer, nor to
   * the total, parts of which may have arrived already.
   */
  outgoing(subtree: Subtree, start: number, end: number): number {
    const { regions, shape } = this.arena;
    if (subtree.count === 1) return regions.gradientBuffers + subtree.first * gradientStride(shape);
    this.counts.fill(1);
    this.sum(subtree, start, end, regions.outgoing);
    return regions.outgoing;
  }

  /**
   * Sets the gradient buffer of the subtree's first shard to the sum of its buffers, each a single gradient, for floats
   * [start, end). It cannot be repeated, so that its thread must not die.
   */
  inPlace(subtree: Subtree, start: number, end: number): void {
    if (subtree.count === 1) return;
    this.counts.fill(1);
    const { regions, shape } = this.arena;
    this.sum(subtree, start, end, regions.gradientBuffers + subtree.first * gradientStride(shape));
  }

  private sum({ first, count }: Subtree, start: number, end: number, to: number): boolean {
    const { regions, shape } = this.arena;
    const { gradientBuffers, counts, sums } = regions;
    return this.kernel.sum(gradientBuffers, gradientStride(shape), counts, first, count, start, end, to, sums) === 1;
  }
}
