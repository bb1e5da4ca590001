// Owns the contract of a pipe, which carries frames and knows nothing of what is in them: what lies under a channel, and under the
// handshake that comes before it.
import type { PseudolabelError } from '../errors.js';
import type { Frame } from './codec.js';

export interface FrameListener {
  frame(frame: Frame): void;
  /** The last call. */
  closed(reason: PseudolabelError): void;
}

/** Frames arrive in the order in which they were sent, each once, or the pipe closes. */
export interface FrameTransport {
  /** Address of the other side, for people. */
  readonly peer: string;
  /** Nothing on the way can change a byte unnoticed, as far as this side sees: TLS, or both ends are on this machine. */
  readonly isGuarded: boolean;
  readonly traffic: { readonly sent: number; readonly received: number };
  /** The next frame, for who talks in turns: before listen(), one call at a time. Rejects with the reason once the pipe is closed. */
  next(): Promise<Frame>;
  /** From now on frames go to the listener, those first that have arrived. */
  listen(listener: FrameListener): void;
  /** Resolves when the frame's memory may be used again. Rejects with the reason once the pipe is closed. */
  send(frame: Frame): Promise<void>;
  /** Sends what is queued, then ends; nothing is delivered any more but the end. Calling it again changes nothing. */
  close(reason?: PseudolabelError): void;
}
