// The contract of a channel: messages and long arrays, in order, between a coordinator and a node that have proven who
// they are. Channels over sockets and in memory pass one contract suite.
import type { PseudolabelError } from '../errors.js';

/** What every message has. Its kind says which schema it must fulfil and how long it may be (cluster-messages.ts). */
export interface Message {
  readonly kind: string;
}

/** Says which part of which long array a bulk frame carries (cluster-messages.ts). */
export interface BulkTag {
  /** Index in the table of bulk kinds. */
  readonly kind: number;
  readonly step: number;
  /** The number of a shard, where the kind has one. */
  readonly index: number;
  /** The request that this answers. */
  readonly attempt: number;
  /** Bytes of the whole array before this payload. */
  readonly offset: number;
}

export interface ChannelListener<In extends Message> {
  /** A message whose fields have been checked. */
  message(message: In): void;
  /** The payload is valid during the call only, and aligned to 8 bytes. */
  bulk(tag: BulkTag, payload: Uint8Array): void;
  /** The last call. The reason is E_CLOSED after a clean end, else what broke. */
  closed(reason: PseudolabelError): void;
}

/** Messages and bulk frames arrive once, in the order in which they were sent; otherwise the channel closes. */
export interface Channel<Out extends Message, In extends Message> {
  /** Address of the other side, for people. */
  readonly peer: string;
  /** Bytes on the network so far. */
  readonly traffic: { readonly sent: number; readonly received: number };
  /** Must be called once, at once: nothing is delivered before. */
  listen(listener: ChannelListener<In>): void;
  /** Resolves when there is room for more: await it before you send the next. Rejects once the channel is closed. */
  send(message: Out): Promise<void>;
  /** The payload has at most MAX_BULK bytes, and may be overwritten when the promise has resolved. */
  sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void>;
  /** Sends what is queued, then ends. A second call changes nothing. */
  close(reason?: PseudolabelError): void;
}

/**
 * The longest payload of a bulk frame, in bytes: long enough that frames cost little, short enough to overlap with
 * computing.
 */
export const MAX_BULK = 2 ** 20;
