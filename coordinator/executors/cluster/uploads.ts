// Uploads: sums of gradients that a node sends, frame by frame, into the gradient buffers here, and how long they may take.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { Subtree } from '../../../src/collectives/tree.js';
import { type Arena, gradientStride } from '../../../src/engine/arena.js';
import type { BulkTag } from '../../../src/protocol/channel.js';
import { late, unexpected } from '../failures.js';
import { Condition } from './deadlines.js';
import { MemberLost } from './member.js';
import type { Requests } from './requests.js';

/** The sums of one request. */
export class Upload {
  /** Bytes of each subtree's sum that are here, as they travel. */
  private readonly received: number[];
  private readonly condition = new Condition();
  private lost: unknown;
  /** Frames are counted, but no longer written: others may be computing the same shards. */
  isRevoked = false;

  /** length: floats of a sum. */
  constructor(
    private readonly arena: Arena,
    private readonly codec: GradientCodec,
    private readonly subtrees: readonly Subtree[],
    readonly length: number,
  ) {
    this.received = subtrees.map(() => 0);
  }

  /** Of all sums. */
  get bytes(): number {
    return this.subtrees.length * this.codec.bytes(this.length);
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
    const { codec } = this;
    const at = this.received[index];
    // A vector is so long that the parts of whole blocks of 8 floats are whole blocks too.
    const fits = offset + payload.length <= codec.bytes(this.length) && payload.length % codec.bytes(8) === 0;
    if (at === undefined || offset > at || !fits)
      throw unexpected(`a sum for shard ${first} with ${payload.length} bytes at ${offset} was not asked for`);
    if (offset < at) return;
    const gradientBuffer = this.arena.regions.gradientBuffers + first * gradientStride(this.arena.shape);
    if (!this.isRevoked) codec.decode(payload, gradientBuffer, offset);
    this.received[index] = at + payload.length;
    this.condition.changed();
  }

  /** Resolves when so many floats of every sum are here. */
  arrived(length: number): Promise<void> {
    if (this.lost !== undefined) return Promise.reject(this.lost);
    return this.condition.met(() => this.has(length));
  }

  /** What is not here yet will not be waited for. */
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
  /** When the first frame of the latest sums came, and its bytes. */
  private first = { at: 0, bytes: 0 };

  /** late: is told when sums do not come in time. */
  constructor(
    private readonly requests: Requests,
    private readonly late: (reason: MemberLost) => void,
  ) {}

  /** Whether all that was asked for is here. */
  get areComplete(): boolean {
    return this.open.size === 0;
  }

  /** Whether some are still on their way that nobody waits for any longer. */
  get areLate(): boolean {
    return [...this.open.values()].some(({ isRevoked }) => isRevoked);
  }

  /** At which sums come in, in Gbit/s; undefined before the first that is of several frames. */
  get gigabits(): number | undefined {
    const perByte = this.requests.deadlines.typical('sums in a row');
    return perByte === undefined ? undefined : 8e-6 / perByte;
  }

  begin(request: number, upload: Upload): void {
    if (!upload.isComplete) this.open.set(request, upload);
  }

  /** From now on they must come in time: the node has said that it has them. Most may be here already. */
  expect(upload: Upload): void {
    if (upload.isComplete) return;
    const { deadlines, name } = this.requests;
    const began = deadlines.clock.now();
    const bytes = upload.bytes - upload.bytesReceived;
    const cancel = deadlines.stallTimer('sums', bytes, () => {
      const reason = new MemberLost(name, late(name, 'send its sums'));
      upload.revoke(reason);
      this.late(reason);
    });
    const complete = () => deadlines.record('sums', bytes, deadlines.clock.now() - began);
    void upload
      .arrived(upload.length)
      .then(complete, () => undefined)
      .finally(cancel);
  }

  /** Whether the frame was the last of a sum. Throws E_PROTOCOL. */
  frame(tag: BulkTag, payload: Uint8Array): boolean {
    const upload = this.open.get(tag.attempt);
    // Of a request that is long done: late, so dropped.
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

  /** There will be none. */
  failed(request: number): void {
    this.open.get(request)?.revoke(new MemberLost(this.requests.name, 'its sums failed'));
    this.open.delete(request);
  }

  lost(reason: MemberLost): void {
    for (const upload of this.open.values()) upload.revoke(reason);
  }
}
