// Owns how a plain connection is read: into one buffer each time, which stays in the processor's cache. Otherwise Node reads each 64 KiB into
// memory of its own, which costs more than the reading. It offers this (onread) for connections that a program makes, not that it accepts.
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** Longer reads are slower: what is read has left the cache before it is copied. */
const READ_BYTES = 2 ** 16;

export class Reading {
  /** For the making of a socket, which gives no 'data' then. */
  readonly onread: OnReadOpts;
  /** Given what has been read. bytes: valid during the call only. */
  receive: (bytes: Buffer) => void = () => undefined;

  constructor() {
    const buffer = Buffer.alloc(READ_BYTES);
    const callback = (bytes: number) => {
      this.receive(buffer.subarray(0, bytes));
      return true;
    };
    this.onread = { buffer, callback };
  }
}

/**
 * A connection that has just been accepted, as a socket that is read so. For this there is only what Node does not document: where a version
 * has it no more, the connection stays what it was, and gives 'data'.
 */
export function readAccepted(accepted: Socket, { onread }: Reading): Socket {
  const inside = accepted as unknown as { _handle?: { readonly useUserBuffer?: unknown } | null };
  const { _handle: handle } = inside;
  if (typeof handle?.useUserBuffer !== 'function') return accepted;
  const wire = new Socket({ handle, onread } as SocketConstructorOpts);
  inside._handle = null; // it is the other one's
  wire.once('close', () => accepted.destroy()); // its server counts it
  return wire;
}
