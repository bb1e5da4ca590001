// Makes a pair of pipes within this process. What one side sends, the other receives a moment later, as bytes.
import type { PseudolabelError } from '../src/errors.js';
import { closedHere, closeFrameOf, reasonOf } from '../src/protocol/close-codes.js';
import type { Frame } from '../src/protocol/codec.js';
import { type FrameListener, type FrameTransport, ReceiveQueue } from '../src/protocol/frame-transport.js';

export class MemoryTransport implements FrameTransport {
  readonly isGuarded = false;
  readonly traffic = { sent: 0, received: 0 };
  private readonly inbox = new ReceiveQueue();
  private reason: PseudolabelError | undefined;
  private other!: MemoryTransport;

  private constructor(readonly peer: string) {}

  static pair(): [MemoryTransport, MemoryTransport] {
    const pair: [MemoryTransport, MemoryTransport] = [new MemoryTransport('memory:1'), new MemoryTransport('memory:0')];
    [pair[0].other, pair[1].other] = [pair[1], pair[0]];
    return pair;
  }

  next(): Promise<Frame> {
    return this.inbox.next();
  }

  listen(listener: FrameListener): void {
    this.inbox.listen(listener);
  }

  async send(frame: Frame): Promise<void> {
    if (this.reason) throw this.reason;
    const copy = frame.map((part) => Uint8Array.from(part)); // The sender may write over its memory.
    const bytes = copy.reduce((sum, { length }) => sum + length, 0);
    this.traffic.sent += bytes;
    setImmediate(() => {
      this.other.traffic.received += bytes;
      this.other.inbox.put(copy);
    });
    await new Promise(setImmediate);
  }

  close(reason = closedHere(this.peer)): void {
    if (this.reason) return;
    this.reason = reason;
    this.inbox.stop(reason);
    const { code, text } = closeFrameOf(reason);
    setImmediate(() => {
      this.inbox.end(reason);
      this.other.end(reasonOf(code, text, this.other.peer));
    });
  }

  /** Ends the pipe as a cut cable would. */
  cut(): void {
    for (const end of [this, this.other]) end.end(reasonOf(1006, '', end.peer));
  }

  private end(reason: PseudolabelError): void {
    this.reason ??= reason;
    this.inbox.end(this.reason);
  }
}
