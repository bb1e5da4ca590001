// Sums the gradients of all ranks (all-reduce), from the gradient buffers of each into the total of all, without a
// copy. The bits are those of one machine: the reduce-scatter exchanges whole subtrees, and each rank sums its part of
// the vector in the tree's order. If the shards of each rank are one subtree, this sends as many bytes as a ring; if
// they are n subtrees, n times as many.
import { shardRange } from '../data/shards.js';
import { type Arena, floats, gradientStride } from '../engine/arena.js';
import { UPDATE_CHUNK } from '../engine/kernel/kernel.js';
import type { Collective, Piece } from './collective.js';
import { GradientSums } from './gradient-sum.js';
import { type Subtree, subtreesIn } from './tree.js';

/** [start, end) in floats. */
type Chunk = readonly [start: number, end: number];

export class AllReduce {
  private readonly sums: GradientSums;

  constructor(
    private readonly collective: Collective,
    private readonly arena: Arena,
  ) {
    this.sums = new GradientSums(arena);
  }

  /**
   * Sets every rank's total to the sum over all shards, in the order of the one tree. It may sum in place, so that it
   * cannot be repeated.
   * @param length floats of a gradient
   * @param ends the gradient buffers of rank r hold the gradients of shards [ends[r - 1], ends[r])
   * @returns whether the whole sum is finite, which is the same at every rank; if not, the totals are incomplete
   */
  async byTree(length: number, shards: number, ends: readonly number[]): Promise<boolean> {
    const { rank } = this.collective;
    const chunks = this.chunks(length);
    const mine = chunks[rank]!;
    const subtrees = ends.map((end, r) => subtreesIn({ first: ends[r - 1] ?? 0, end }, shards));
    const others = subtrees.flatMap((trees, r) => (r === rank ? [] : trees.map((tree) => [r, tree] as const)));
    await this.collective.exchange(
      this.summed(subtrees[rank]!, chunks),
      notEmpty(others.map(([r, tree]) => ({ rank: r, bytes: this.gradientBuffer(tree, mine) }))),
    );
    this.sums.arrived(subtrees.flat());
    if (!(await this.allHold(this.sums.total(shards, ...mine)))) return false;
    await this.shareTotal(chunks);
    return true;
  }

  /** Does the same in MPI's own order. The bits then depend on the number of ranks and on MPI. */
  async byAnyOrder(length: number, ends: readonly number[]): Promise<boolean> {
    const { rank } = this.collective;
    const first = ends[rank - 1] ?? 0;
    const total = floats(this.arena, 'total', length);
    if (ends[rank] === first) total.fill(0);
    else this.sums.partial({ first, count: ends[rank]! - first }, 0, length);
    await this.collective.sum(total);
    return this.allHold(this.sums.isTotalFinite(...this.chunks(length)[rank]!));
  }

  /** Returns the part of the vector that each rank sums: whole chunks of the kernel. */
  private chunks(length: number): Chunk[] {
    const { size } = this.collective;
    const chunks = Math.ceil(length / UPDATE_CHUNK);
    return Array.from({ length: size }, (_, r) => {
      const [first, end] = shardRange(chunks, size, r);
      return [Math.min(first * UPDATE_CHUNK, length), Math.min(end * UPDATE_CHUNK, length)] as const;
    });
  }

  /** Yields this rank's subtrees, chunk by chunk. While one is sent to the rank that sums it, the next is made. */
  private *summed(subtrees: readonly Subtree[], chunks: readonly Chunk[]): Generator<Piece> {
    const { rank, size } = this.collective;
    for (let away = 1; away <= size; away++) {
      const to = (rank + away) % size;
      for (const subtree of subtrees) {
        const chunk = chunks[to]!;
        this.sums.inPlace(subtree, ...chunk);
        if (to !== rank) yield* notEmpty([{ rank: to, bytes: this.gradientBuffer(subtree, chunk) }]);
      }
    }
  }

  private async shareTotal(chunks: readonly Chunk[]): Promise<void> {
    const { rank } = this.collective;
    const others = chunks.flatMap((chunk, r) => (r === rank ? [] : [{ rank: r, bytes: this.part('total', 0, chunk) }]));
    const mine = this.part('total', 0, chunks[rank]!);
    await this.collective.exchange(
      notEmpty(others.map((piece) => ({ rank: piece.rank, bytes: mine }))),
      notEmpty(others),
    );
  }

  /** Returns whether the condition holds at all ranks. The count of those where it does not is exact in any order. */
  private async allHold(holds: boolean): Promise<boolean> {
    const exceptions = Float32Array.of(holds ? 0 : 1);
    await this.collective.sum(exceptions);
    return exceptions[0] === 0;
  }

  /** Returns the memory of a subtree that is sent. */
  private gradientBuffer({ first }: Subtree, chunk: Chunk): Uint8Array {
    return this.part('gradientBuffers', first * gradientStride(this.arena.shape), chunk);
  }

  private part(region: 'gradientBuffers' | 'total', offset: number, [start, end]: Chunk): Uint8Array {
    const { memory, regions } = this.arena;
    return new Uint8Array(memory.buffer, regions[region] + offset + start * 4, (end - start) * 4);
  }
}

/** Leaves out empty pieces, because a vector may have fewer chunks than there are ranks. */
const notEmpty = (pieces: readonly Piece[]): Piece[] => pieces.filter(({ bytes }) => bytes.length > 0);
