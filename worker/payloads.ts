// Owns what lies between a wire and its WebSocket: received messages go by ws, which would put each together in memory of its own. All else,
// HTTP, control frames and what is not as it should be, goes through, so that ws answers and judges it.
import { Duplex } from 'node:stream';
import { hasArrived } from './collection.js';
import { type MessageLimits, MessageReader } from './message-reader.js';
import type { Reading } from './reading.js';

export interface PayloadListener {
  /** Bytes have come, of whatever. */
  arrived(): void;
  /** bytes: valid during the call only, from an address that is a multiple of 8. */
  message(bytes: Uint8Array, isBinary: boolean): void;
}

const END_OF_HTTP = Buffer.from('\r\n\r\n');

export class Payloads extends Duplex {
  private listener: PayloadListener | undefined;
  private readonly reader: MessageReader;
  /** Bytes of END_OF_HTTP that came last. Behind it are frames. */
  private met = 0;
  private isHeld = false;
  private isFull = false;
  private isEnding = false;
  private isBusy = false;
  /** What has been read, and may not go on yet. */
  private rest: Buffer | undefined;

  constructor(
    private readonly wire: Duplex,
    limits: MessageLimits,
    /** Where the wire is read by one. */
    reading?: Reading,
  ) {
    super();
    this.reader = new MessageReader(limits, {
      message: (bytes, isBinary) => this.listener!.message(bytes, isBinary),
      other: (bytes) => this.pass(bytes),
    });
    if (reading) reading.receive = (bytes) => this.receive(bytes);
    wire.on('data', (bytes: Buffer) => {
      hasArrived(bytes.length);
      this.receive(bytes);
    });
    wire.on('end', () => {
      this.isEnding = true;
      this.proceed();
    });
    wire.on('error', (error) => this.fall(error)); // TLS does not close by itself
    wire.on('close', () => this.fall());
  }

  /** To be called once. Messages that have come wait for it. */
  listen(listener: PayloadListener): void {
    this.listener = listener;
    this.proceed();
  }

  /** Delivers no further message until release(), and reads no more than has been read. */
  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    this.proceed();
  }

  override _read(): void {
    this.isFull = false;
    this.proceed();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.wire.write(chunk, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.wire.cork();
    chunks.forEach(({ chunk }, i) => void this.wire.write(chunk, i === chunks.length - 1 ? done : undefined));
    this.wire.uncork();
  }

  override _final(done: () => void): void {
    this.wire.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.wire.destroy();
    done(error);
  }

  /** bytes: valid during the call only. */
  private receive(bytes: Buffer): void {
    this.listener?.arrived();
    this.rest = this.rest ? Buffer.concat([this.rest, bytes]) : bytes;
    this.proceed();
    if (this.rest) this.rest = Buffer.from(this.rest);
  }

  /** What has come is delivered before, wanted or not. */
  private fall(error?: Error): void {
    this.isHeld = false;
    const last = this.wire.read() as Buffer | null;
    if (last) this.receive(last);
    else this.proceed();
    this.destroy(error);
  }

  private proceed(): void {
    if (this.isBusy) return; // called by whom it has just delivered to
    this.isBusy = true;
    while (this.rest && !this.isStopped) {
      const { rest } = this;
      const taken = this.met < END_OF_HTTP.length ? this.http(rest) : this.reader.take(rest);
      this.rest = taken < rest.length ? rest.subarray(taken) : undefined;
    }
    this.isBusy = false;
    if (!this.rest && this.isEnding) this.push(null);
    if (this.isStopped) this.wire.pause();
    else if (this.wire.isPaused()) this.wire.resume();
  }

  private get isStopped(): boolean {
    if (this.isFull || this.destroyed) return true;
    return this.met === END_OF_HTTP.length && this.reader.isBetween && (this.isHeld || !this.listener);
  }

  private http(bytes: Buffer): number {
    let end = 0;
    while (end < bytes.length && this.met < END_OF_HTTP.length) {
      const byte = bytes[end++];
      if (byte === END_OF_HTTP[this.met]) this.met++;
      else this.met = byte === END_OF_HTTP[0] ? 1 : 0;
    }
    this.pass(bytes.subarray(0, end));
    return end;
  }

  /** A copy: they are read when ws or HTTP come to it. */
  private pass(bytes: Buffer): void {
    if (!this.push(Buffer.from(bytes))) this.isFull = true;
  }
}
