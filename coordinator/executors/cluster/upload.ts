// Owns the arrival of one request's sums in the coordinator's slots, frame by frame.

import { type GradientCodec, sumEncoded } from '../../../src/collectives/gradient-codec.js';
import type { Subtree } from '../../../src/collectives/tree.js';
import { type Arena, gradientStride } from '../../../src/engine/arena.js';
import { PseudolabelError } from '../../../src/errors.js';

export class Upload {
  /** Bytes of each subtree's sum that are here, as they travel. */
  private readonly received: number[];
  private readonly wires: readonly GradientCodec[];
  private waiting: {
    readonly length: number;
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  private lost: unknown;
  /** Frames are counted, but no longer written: others may be computing the same shards. */
  isRevoked = false;

  /** length: floats of a vector. */
  constructor(
    private readonly arena: Arena,
    wire: GradientCodec,
    readonly subtrees: readonly Subtree[],
    readonly length: number,
  ) {
    this.received = subtrees.map(() => 0);
    this.wires = subtrees.map((subtree) => sumEncoded(wire, arena, subtree));
  }

  /** Of all sums. */
  get bytes(): number {
    return this.wires.reduce((sum, wire) => sum + wire.bytes(this.length), 0);
  }

  get bytesReceived(): number {
    return this.received.reduce((sum, bytes) => sum + bytes, 0);
  }

  get isComplete(): boolean {
    return this.has(this.length);
  }

  /** Throws E_PROTOCOL for what does not belong to it. A frame that came before is dropped. */
  frame(first: number, offset: number, payload: Uint8Array): void {
    const index = this.subtrees.findIndex((subtree) => subtree.first === first);
    const [at, wire] = [this.received[index], this.wires[index]];
    // A vector is so long that the parts of whole blocks of 8 floats are whole blocks too.
    const fits = (by: GradientCodec) =>
      offset + payload.length <= by.bytes(this.length) && payload.length % by.bytes(8) === 0;
    if (at === undefined || !wire || offset > at || !fits(wire)) {
      const message = `a sum for shard ${first} with ${payload.length} bytes at ${offset} was not asked for`;
      throw new PseudolabelError('E_PROTOCOL', message, 'run the same version on all nodes');
    }
    if (offset < at) return;
    const gradientBuffer = this.arena.regions.gradientBuffers + first * gradientStride(this.arena.shape);
    if (!this.isRevoked) wire.decode(payload, gradientBuffer, offset);
    this.received[index] = at + payload.length;
    this.waiting = this.waiting.filter(({ length, resolve }) => {
      if (!this.has(length)) return true;
      resolve();
      return false;
    });
  }

  /** Resolves when so many floats of every sum are here. */
  arrived(length: number): Promise<void> {
    if (this.lost !== undefined) return Promise.reject(this.lost);
    if (this.has(length)) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ length, resolve, reject }));
  }

  /** What is not here yet will not be waited for. */
  revoke(reason: unknown): void {
    if (this.isComplete || this.isRevoked) return;
    this.isRevoked = true;
    this.lost = reason;
    for (const { reject } of this.waiting.splice(0)) reject(reason);
  }

  private has(length: number): boolean {
    const floats = Math.min(length, this.length);
    return this.received.every((received, i) => received >= this.wires[i]!.bytes(floats));
  }
}
