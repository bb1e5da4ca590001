// Makes a channel within one process, for tests. Everything is checked and copied as on a network, and tests can make
// anything on it go wrong.

import type { NodeChannel } from '../../coordinator/executors/cluster/requests.js';
import { PseudolabelError } from '../../src/errors.js';
import type { BulkTag, Channel, ChannelListener, Message } from '../../src/protocol/channel.js';
import {
  type CoordinatorChannel,
  TO_COORDINATOR,
  TO_NODE,
  type ToCoordinator,
  type ToNode,
} from '../../src/protocol/cluster-messages.js';
import { decodeFrame, encodeMessage, type MessageTable } from '../../src/protocol/codec.js';
import { MAX_BULK } from '../../src/protocol/limits.js';

export type Parcel<M> = { readonly message: M } | { readonly tag: BulkTag; readonly payload: Uint8Array<ArrayBuffer> };

/** Returns what arrives for what was sent: nothing, if it is lost for ever. */
export type Tap<M> = (parcel: Parcel<M>) => readonly Parcel<M>[];

export interface Link {
  readonly coordinator: NodeChannel;
  readonly node: CoordinatorChannel;
  toNode: Tap<ToNode>;
  toCoordinator: Tap<ToCoordinator>;
  /** Ends the channel as an unplugged cable would. */
  cut(): void;
  /** Stops all traffic in both directions until release(). */
  hold(): void;
  release(): void;
}

class End<Out extends Message, In extends Message> implements Channel<Out, In> {
  readonly traffic = { sent: 0, received: 0 };
  readonly arrived: Parcel<In>[] = [];
  private listener: ChannelListener<In> | undefined;
  private isScheduled = false;
  private reason: PseudolabelError | undefined;

  constructor(
    readonly peer: string,
    private readonly wire: { isHeld: boolean },
    private readonly deliver: (parcel: Parcel<Out>) => void,
    private readonly closeOther: () => void,
  ) {}

  listen(listener: ChannelListener<In>): void {
    this.listener = listener;
    this.schedule();
  }

  async send(message: Out): Promise<void> {
    if (this.reason) throw this.reason;
    this.deliver({ message: structuredClone(message) });
  }

  async sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void> {
    if (this.reason) throw this.reason;
    if (payload.length > MAX_BULK) throw new Error(`${payload.length} bytes are too many for a frame`);
    this.traffic.sent += payload.length;
    this.deliver({ tag, payload: Uint8Array.from(payload) });
  }

  close(reason = closed('closed here')): void {
    this.end(reason);
    this.closeOther();
  }

  end(reason: PseudolabelError): void {
    this.reason ??= reason;
    this.schedule();
  }

  /** Lets parcels arrive, one in each turn of the event loop. */
  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      if (!this.listener || this.wire.isHeld) return;
      const parcel = this.arrived.shift();
      if (parcel && 'message' in parcel) this.listener.message(parcel.message);
      else if (parcel) {
        this.traffic.received += parcel.payload.length;
        this.listener.bulk(parcel.tag, parcel.payload);
      } else if (this.reason) {
        const { listener } = this;
        this.listener = undefined;
        listener.closed(this.reason);
      }
      if (parcel) this.schedule();
    });
  }
}

const closed = (how: string): PseudolabelError =>
  new PseudolabelError('E_CLOSED', `the connection was ${how}`, 'connect again');

type Table = typeof TO_NODE | typeof TO_COORDINATOR;

/** Fails if our side sends a message that does not fit its schema. */
function checked<M extends Message>(table: Table, parcel: Parcel<M>): Parcel<M> {
  if (!('message' in parcel)) return parcel;
  const { schema } = (table as Record<string, { schema: { parse(value: unknown): unknown } }>)[parcel.message.kind]!;
  return { message: schema.parse(parcel.message) as M };
}

/**
 * Returns what arrives for what was sent. As in a channel of frames (src/protocol/framed-channel.ts), an end closes if
 * it gets an invalid message.
 */
function passOn<In extends Message, Out extends Message>(
  table: Table,
  tap: Tap<In>,
  parcel: Parcel<In>,
  to: End<Out, In>,
): void {
  for (const each of tap(checked(table, parcel))) {
    try {
      to.arrived.push('message' in each ? decoded(table, each) : each);
    } catch (error) {
      to.close(error as PseudolabelError);
    }
  }
  to.schedule();
}

function decoded<M extends Message>(table: Table, { message }: { readonly message: M }): Parcel<M> {
  const received = decodeFrame(table as unknown as MessageTable<M>, encodeMessage(ANY as MessageTable<M>, message));
  if ('message' in received) return received;
  throw new Error('a message became an array');
}

/** A table that lets every message out. */
const ANY = new Proxy({}, { get: () => ({ schema: undefined, limit: 2 ** 27, values: 2 ** 21 }) });

export function memoryLink(): Link {
  const wire = { isHeld: false };
  const coordinator: End<ToNode, ToCoordinator> = new End(
    'memory',
    wire,
    (parcel) => passOn(TO_NODE, link.toNode, parcel, node),
    () => node.end(closed('closed by the coordinator')),
  );
  const node: End<ToCoordinator, ToNode> = new End(
    'memory',
    wire,
    (parcel) => passOn(TO_COORDINATOR, link.toCoordinator, parcel, coordinator),
    () => coordinator.end(closed('closed by the node')),
  );
  const ends = [coordinator, node];
  const link: Link = {
    coordinator,
    node,
    toNode: (parcel) => [parcel],
    toCoordinator: (parcel) => [parcel],
    cut() {
      for (const end of ends) {
        end.arrived.length = 0;
        end.end(closed('cut'));
      }
    },
    hold() {
      wire.isHeld = true;
    },
    release() {
      wire.isHeld = false;
      for (const end of ends) end.schedule();
    },
  };
  return link;
}
