// A channel over a frame transport: encodes outgoing messages and checks incoming ones. The channel ends if a check
// fails.
import { PseudolabelError } from '../errors.js';
import type { BulkTag, Channel, ChannelListener, Message } from './channel.js';
import { decodeFrame, encodeBulk, encodeMessage, type Frame, type MessageTable, type MessageTables } from './codec.js';
import type { FrameTransport } from './frame-transport.js';

export class FramedChannel<Out extends Message, In extends Message> implements Channel<Out, In> {
  /** The messages that may come next. */
  private expected: MessageTable<In>;

  constructor(
    private readonly transport: FrameTransport,
    private readonly tables: MessageTables<Out, In>,
    /** Whether payloads have no checksum, in both directions. */
    private readonly isGuarded = false,
  ) {
    this.expected = tables.first ? only(tables.incoming, tables.first) : tables.incoming;
  }

  get peer(): string {
    return this.transport.peer;
  }

  get traffic(): FrameTransport['traffic'] {
    return this.transport.traffic;
  }

  listen(listener: ChannelListener<In>): void {
    this.transport.listen({
      frame: (frame) => this.deliver(frame, listener),
      closed: (reason) => listener.closed(reason),
    });
  }

  async send(message: Out): Promise<void> {
    await this.transport.send(encodeMessage(this.tables.outgoing, message));
  }

  async sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void> {
    await this.transport.send(encodeBulk(tag, payload, this.isGuarded));
  }

  close(reason?: PseudolabelError): void {
    this.transport.close(reason);
  }

  private deliver(frame: Frame, listener: ChannelListener<In>): void {
    try {
      const received = decodeFrame(this.expected, frame, this.isGuarded);
      if (this.expected !== this.tables.incoming && 'tag' in received) throw tooSoon();
      this.expected = this.tables.incoming;
      if ('message' in received) listener.message(received.message);
      else listener.bulk(received.tag, received.payload);
    } catch (error) {
      if (!(error instanceof PseudolabelError)) throw error; // a bug here, not the peer's
      this.transport.close(error);
    }
  }
}

/** Returns a table of these kinds only. */
function only<M extends Message>(table: MessageTable<M>, kinds: readonly M['kind'][]): MessageTable<M> {
  return Object.fromEntries(kinds.map((kind) => [kind, table[kind]])) as unknown as MessageTable<M>;
}

function tooSoon(): PseudolabelError {
  return new PseudolabelError(
    'E_PROTOCOL',
    'received an array before any message',
    'run the same version on both machines',
  );
}
