// Receives the sums of gradients that a node sends, frame by frame, into the gradient buffers here, and limits the time
// of that.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { Subtree } from '../../../src/collectives/tree.js';
import { type Arena, gradientStride } from '../../../src/engine/arena.js';
import type { BulkTag } from '../../../src/protocol/channel.js';
import { lateError, unexpectedError } from '../failures.js';
import { Condition } from './deadlines.js';
import { MachineLost } from './machine.js';
import type { Requests } from './requests.js';

/** The sums of one request. */
export class Upload {
  /** The encoded bytes of each subtree's sum that are here. */
  private readonly received: number[];
  private readonly condition = new Condition();
  private lost: unknown;
  /** If true, frames are counted but no longer written, because others may be computing the same shards. */
  isRevoked = false;

  /** length: the number of floats of a sum. */
  constructor(
    private readonly arena: Arena,
    private readonly codec: GradientCodec,
    private readonly subtrees: readonly Subtree[],
    readonly length: number,
  ) {
    this.received = subtrees.map(() => 0);
  }

  /** The encoded bytes of all sums. */
  get bytes(): number {
    return this.subtrees.length * this.codec.bytes(this.length);
  }

  get bytesReceived(): number {
    return this.received.reduce((sum, bytes) => sum + bytes, 0);
  }

  get isComplete(): boolean {
    return this.has(this.length);
  }

  /** Takes a frame. Throws E_PROTOCOL if it does not belong to this upload. Drops a frame that came before. */
  frame(first: number, offset: number, payload: Uint8Array): void {
    const index = this.subtrees.findIndex((subtree) => subtree.first === first);
    const { codec } = this;
    const at = this.received[index];
    // Vectors are so long that chunks made of whole blocks of 8 floats are whole blocks in the encoding too.
    const fits = offset + payload.length <= codec.bytes(this.length) && payload.length % codec.bytes(8) === 0;
    if (at === undefined || offset > at || !fits)
      throw unexpectedError(`a sum for shard ${first} with ${payload.length} bytes at ${offset} was not asked for`);
    if (offset < at) return;
    const gradientBuffer = this.arena.regions.gradientBuffers + first * gradientStride(this.arena.shape);
    if (!this.isRevoked) codec.decode(payload, gradientBuffer, offset);
    this.received[index] = at + payload.length;
    this.condition.changed();
  }

  /** Resolves when this number of floats of every sum is here. */
  arrived(length: number): Promise<void> {
    if (this.lost !== undefined) return Promise.reject(this.lost);
    return this.condition.met(() => this.has(length));
  }

  /** Ends the waits for what is not here yet. */
  revoke(reason: unknown): void {
    if (this.isComplete || this.isRevoked) return;
    this.isRevoked = true;
    this.lost = reason;
    this.condition.fail(reason);
  }

  private has(length: number): boolean {
    const floats = Math.min(length, this.length);
    return this.received.every((received) => received >= this.codec.bytes(floats));
  }
}

/** The sums that a node still has to send, by the requests that they belong to. */
export class Uploads {
  private readonly open = new Map<number, Upload>();
  /** The time at which the first frame of the latest sums came, and its bytes. */
  private first = { at: 0, bytes: 0 };

  /** late: is told when sums do not come in time. */
  constructor(
    private readonly requests: Requests,
    private readonly late: (reason: MachineLost) => void,
  ) {}

  /** Whether all sums that were asked for are here. */
  get areComplete(): boolean {
    return this.open.size === 0;
  }

  /** Whether some sums are still on their way that nothing waits for any longer. */
  get areLate(): boolean {
    return [...this.open.values()].some(({ isRevoked }) => isRevoked);
  }

  /** The rate at which sums arrive, in Gbit/s; undefined before the first sum that has several frames. */
  get gigabits(): number | undefined {
    const perByte = this.requests.deadlines.typical('sums in a row');
    return perByte === undefined ? undefined : 8e-6 / perByte;
  }

  begin(request: number, upload: Upload): void {
    if (!upload.isComplete) this.open.set(request, upload);
  }

  /** Sets the deadline for the sums, because the node has said that it has them. Most may be here already. */
  expect(upload: Upload): void {
    if (upload.isComplete) return;
    const { deadlines, name } = this.requests;
    const began = deadlines.clock.now();
    const bytes = upload.bytes - upload.bytesReceived;
    const cancel = deadlines.stallTimer('sums', bytes, () => {
      const reason = new MachineLost(name, lateError(name, 'send its sums'));
      upload.revoke(reason);
      this.late(reason);
    });
    const complete = () => deadlines.record('sums', bytes, deadlines.clock.now() - began);
    void upload
      .arrived(upload.length)
      .then(complete, () => undefined)
      .finally(cancel);
  }

  /** Takes a frame, and returns whether it was the last of all sums of its request. Throws E_PROTOCOL. */
  frame(tag: BulkTag, payload: Uint8Array): boolean {
    const upload = this.open.get(tag.attempt);
    // The frame belongs to a request that is done. It is late, so it is dropped.
    if (!upload) return false;
    const { deadlines } = this.requests;
    const isFirst = upload.bytesReceived === 0;
    upload.frame(tag.index, tag.offset, payload);
    if (isFirst) this.first = { at: deadlines.clock.now(), bytes: upload.bytesReceived };
    if (!upload.isComplete) return false;
    this.open.delete(tag.attempt);
    const behind = upload.bytes - this.first.bytes;
    if (behind > 0) deadlines.record('sums in a row', behind, deadlines.clock.now() - this.first.at);
    return true;
  }

  /** Ends the upload, because there will be no sums. */
  failed(request: number): void {
    this.open.get(request)?.revoke(new MachineLost(this.requests.name, 'its sums failed'));
    this.open.delete(request);
  }

  lost(reason: MachineLost): void {
    for (const upload of this.open.values()) upload.revoke(reason);
  }
}
