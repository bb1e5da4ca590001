// The interface of a frame transport, which carries frames and does not read them, and the queue of frames that it has
// received.
import type { PseudolabelError } from '../errors.js';
import type { Frame } from './codec.js';

export interface FrameListener {
  frame(frame: Frame): void;
  /** Is called last. */
  closed(reason: PseudolabelError): void;
}

/** Carries frames. They arrive once, in the order in which they were sent; otherwise the transport closes. */
export interface FrameTransport {
  /** The address of the other side, for people. */
  readonly peer: string;
  /**
   * Whether this side sees that nothing on the way can change a byte unnoticed: there is TLS, or both ends are on one
   * machine.
   */
  readonly isGuarded: boolean;
  readonly traffic: { readonly sent: number; readonly received: number };
  /**
   * Returns the next frame, for a handshake. It is used before listen(), one call at a time. Rejects with the reason
   * once closed.
   */
  next(): Promise<Frame>;
  /** Sends frames to the listener from now on, beginning with those that have arrived. */
  listen(listener: FrameListener): void;
  /** Sends a frame. Resolves when the frame's memory may be used again. Rejects with the reason once closed. */
  send(frame: Frame): Promise<void>;
  /** Sends what is queued, then ends. Afterwards only the end is delivered. A second call has no effect. */
  close(reason?: PseudolabelError): void;
}

interface Asker {
  resolve(frame: Frame): void;
  reject(reason: PseudolabelError): void;
}

/**
 * The receiving end of a transport. It keeps frames that nobody has asked for yet, and delivers the end last and once.
 */
export class ReceiveQueue {
  private readonly frames: Frame[] = [];
  private asker: Asker | undefined;
  private listener: FrameListener | undefined;
  private stopped = false;
  private reason: PseudolabelError | undefined;
  private ended = false;

  /** Adds a frame. Returns false if nobody has asked for it, so that it waits here. */
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

  /** Stops the delivery of everything except the end. */
  stop(reason: PseudolabelError): void {
    this.stopped = true;
    this.frames.length = 0;
    this.fail(reason);
  }

  /** Ends the queue. What arrived before is still delivered, unless stop() was called, whose reason counts then. */
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
