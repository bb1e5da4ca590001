// Owns the receiving end of a pipe: frames that nobody has asked for yet, who gets the next one, and that the end comes last and once.
import type { PseudolabelError } from '../errors.js';
import type { Frame } from './codec.js';
import type { FrameListener } from './frame-transport.js';

interface Asker {
  resolve(frame: Frame): void;
  reject(reason: PseudolabelError): void;
}

export class ReceiveQueue {
  private readonly frames: Frame[] = [];
  private asker: Asker | undefined;
  private listener: FrameListener | undefined;
  private stopped = false;
  private reason: PseudolabelError | undefined;
  private ended = false;

  /** Returns false if nobody has asked for the frame: then it waits here. */
  put(frame: Frame): boolean {
    if (this.stopped) return true;
    if (this.listener) this.listener.frame(frame);
    else if (this.asker) this.take().resolve(frame);
    else return this.frames.push(frame) === 0;
    return true;
  }

  next(): Promise<Frame> {
    const frame = this.frames.shift();
    if (frame) return Promise.resolve(frame);
    if (this.reason) return Promise.reject(this.reason);
    return new Promise((resolve, reject) => {
      this.asker = { resolve, reject };
    });
  }

  listen(listener: FrameListener): void {
    this.listener = listener;
    for (let frame = this.frames.shift(); frame; frame = this.frames.shift()) listener.frame(frame);
    if (this.ended) listener.closed(this.reason!);
  }

  /** Nothing is delivered any more, but the end. */
  stop(reason: PseudolabelError): void {
    this.stopped = true;
    this.frames.length = 0;
    this.fail(reason);
  }

  /** The end. What arrived before it is still delivered, unless the inbox was stopped. The reason of a stop is the reason of the end. */
  end(reason: PseudolabelError): void {
    if (this.ended) return;
    this.ended = true;
    this.fail(reason);
    this.listener?.closed(this.reason!);
  }

  private fail(reason: PseudolabelError): void {
    this.reason ??= reason;
    if (this.asker) this.take().reject(this.reason);
  }

  private take(): Asker {
    const asker = this.asker!;
    this.asker = undefined;
    return asker;
  }
}
