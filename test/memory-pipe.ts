// A pair of pipes within this process: what one side sends, the other receives a moment later, as bytes.
import type { PseudolabelError } from '../src/errors.js';
import { closedHere, closeFrameOf, reasonOf } from '../src/protocol/closing.js';
import type { Frame } from '../src/protocol/codec.js';
import { Inbox } from '../src/protocol/inbox.js';
import type { Pipe, PipeListener } from '../src/protocol/pipe.js';

export class MemoryPipe implements Pipe {
  readonly isGuarded = false;
  readonly traffic = { sent: 0, received: 0 };
  private readonly inbox = new Inbox();
  private reason: PseudolabelError | undefined;
  private other!: MemoryPipe;

  private constructor(readonly peer: string) {}

  static pair(): [MemoryPipe, MemoryPipe] {
    const pair: [MemoryPipe, MemoryPipe] = [new MemoryPipe('memory:1'), new MemoryPipe('memory:0')];
    [pair[0].other, pair[1].other] = [pair[1], pair[0]];
    return pair;
  }

  next(): Promise<Frame> {
    return this.inbox.next();
  }

  listen(listener: PipeListener): void {
    this.inbox.listen(listener);
  }

  async send(frame: Frame): Promise<void> {
    if (this.reason) throw this.reason;
    const copy = frame.map((part) => Uint8Array.from(part)); // as a network does: the sender may write over its memory
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

  /** As if the cable were cut. */
  cut(): void {
    for (const end of [this, this.other]) end.end(reasonOf(1006, '', end.peer));
  }

  private end(reason: PseudolabelError): void {
    this.reason ??= reason;
    this.inbox.end(this.reason);
  }
}
