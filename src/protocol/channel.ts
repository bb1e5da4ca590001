// The interface of a channel: messages and long arrays, in order, between a coordinator and a node that have proven who
// they are. Channels over sockets and in memory pass the same contract tests.
import type { PseudolabelError } from '../errors.js';

/**
 * The common part of all messages. The kind says which schema a message must satisfy, and how long it may be
 * (cluster-messages.ts).
 */
export interface Message {
  readonly kind: string;
}

/** Says which part of which long array a bulk frame carries (cluster-messages.ts). */
export interface BulkTag {
  /** The index in the table of bulk kinds. */
  readonly kind: number;
  readonly step: number;
  /** The number of a shard, if the kind has one. */
  readonly index: number;
  /** The number of the request that this answers. */
  readonly attempt: number;
  /** The bytes of the whole array before this payload. */
  readonly offset: number;
}

export interface ChannelListener<In extends Message> {
  /** Takes a message whose fields have been checked. */
  message(message: In): void;
  /** Takes a payload, which is valid during the call only, and aligned to 8 bytes. */
  bulk(tag: BulkTag, payload: Uint8Array): void;
  /** Is called last. The reason is E_CLOSED after a clean end, and otherwise what broke. */
  closed(reason: PseudolabelError): void;
}

/** Messages and bulk frames arrive once, in the order in which they were sent; otherwise the channel closes. */
export interface Channel<Out extends Message, In extends Message> {
  /** The address of the other side, for people. */
  readonly peer: string;
  /** The bytes on the network so far. */
  readonly traffic: { readonly sent: number; readonly received: number };
  /** Sets the listener. It must be called once, at once, because nothing is delivered before. */
  listen(listener: ChannelListener<In>): void;
  /**
   * Sends a message. Resolves when there is room for more, so that it is awaited before the next one is sent. Rejects
   * once the channel is closed.
   */
  send(message: Out): Promise<void>;
  /** Sends a payload of at most MAX_BULK bytes, which may be overwritten when the promise has resolved. */
  sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void>;
  /** Sends what is queued, then ends. A second call has no effect. */
  close(reason?: PseudolabelError): void;
}
