// Owns the contract of a channel: an ordered pipe of messages and of long arrays between a coordinator and a node, both of which
// have proven who they are. A socket fulfils it, and so does a pair in memory; both pass one contract suite.
import type { PseudolabelError } from '../errors.js';

/** What every message has; its kind says which schema the rest fulfils and how long it may be (messages.ts). */
export interface Message {
  readonly kind: string;
}

/** What a long array is, in the fixed header of its frame. The meaning of the numbers is the receiver's (messages.ts). */
export interface BulkTag {
  /** Index in the table of bulk kinds. */
  readonly kind: number;
  readonly step: number;
  /** A slot, a shard or a region, by kind. */
  readonly index: number;
  /** Attempt at the task that this is the answer to. */
  readonly attempt: number;
  /** Bytes of the whole array that lie before this frame's payload. */
  readonly offset: number;
}

export interface ChannelListener<In extends Message> {
  /** A message whose fields have been checked. */
  message(message: In): void;
  /** payload: valid during the call only, aligned to 8 bytes. */
  bulk(tag: BulkTag, payload: Uint8Array): void;
  /** The last call. reason: E_CLOSED after a clean end, else what broke. */
  closed(reason: PseudolabelError): void;
}

/** Messages and bulk frames arrive in the order in which they were sent, each once, or the channel closes. */
export interface Channel<Out extends Message, In extends Message> {
  /** Address of the other side, for people. */
  readonly peer: string;
  /** Bytes on the wire so far. */
  readonly traffic: { readonly sent: number; readonly received: number };
  /** To be called once, at once: nothing is delivered before. */
  listen(listener: ChannelListener<In>): void;
  /** Resolves when the pipe has room for more: await it before sending the next. Rejects once the channel is closed. */
  send(message: Out): Promise<void>;
  /** The payload may be overwritten when the promise has resolved. At most MAX_BULK bytes. */
  sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void>;
  /** Sends what is queued, then ends. Calling it again changes nothing. */
  close(reason?: PseudolabelError): void;
}

/** Longest payload of one bulk frame, in bytes: long enough that frames cost nothing, short enough to overlap with computing. */
export const MAX_BULK = 2 ** 20;
