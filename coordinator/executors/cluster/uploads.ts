// Owns the sums that a node still has to send, by the requests that they belong to, and how long they may take.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { Subtree } from '../../../src/collectives/tree.js';
import type { Arena } from '../../../src/engine/arena.js';
import type { BulkTag } from '../../../src/protocol/channel.js';
import { late } from './deadlines.js';
import { MemberLost } from './member.js';
import type { Requests } from './requests.js';
import { Upload } from './upload.js';

export class Uploads {
  private readonly open = new Map<number, Upload>();
  /** When the first frame of the latest sums came, and its bytes. */
  private first = { at: 0, bytes: 0 };

  constructor(
    private readonly requests: Requests,
    /** The coordinator's. */
    private readonly arena: Arena,
    private readonly wire: GradientCodec,
    /** Told when sums do not come in time. */
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

  /** length: floats of a sum. */
  begin(request: number, subtrees: readonly Subtree[], length: number): Upload {
    const upload = new Upload(this.arena, this.wire, subtrees, length);
    if (!upload.isComplete) this.open.set(request, upload);
    return upload;
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
