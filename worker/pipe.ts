// Owns the pipe over a WebSocket: frames without copies that can be avoided, back-pressure, a heartbeat, and an end that always comes.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { type Clock, SYSTEM_CLOCK } from '../src/clock.js';
import { PseudolabelError } from '../src/errors.js';
import { closedHere, closeFrameOf, connectionLost, reasonOf } from '../src/protocol/closing.js';
import type { Frame } from '../src/protocol/codec.js';
import { Inbox } from '../src/protocol/inbox.js';
import type { Pipe, PipeListener } from '../src/protocol/pipe.js';
import { isLoopback } from './address.js';
import { hasArrived } from './collection.js';
import { Heartbeat } from './heartbeat.js';

/** How long an unknown peer has to answer a close frame, in ms. */
const STRANGER_GRACE_MS = 1000;

/** For both sides. Compression would cost more than the network it saves; and a pong tells nothing that the other side's ping does not. */
export const SOCKET_OPTIONS = { perMessageDeflate: false, autoPong: false } as const;

export interface Connection {
  readonly ws: WebSocket;
  /** What the WebSocket reads and writes: the wire itself, or TLS upon it. */
  readonly stream: Duplex;
  /** What carries the bytes, of which they are counted. */
  readonly wire: Socket;
  readonly peer: string;
  /** Bytes that the other side may send in all before it is trusted. Frames that nobody has asked for stop the reading in any case. */
  readonly allowance: number;
}

/** Takes over an open WebSocket. Until trust() is called, the other side is a stranger. */
export class SocketPipe implements Pipe {
  readonly peer: string;
  readonly isGuarded: boolean;
  private readonly inbox = new Inbox();
  private trusted = false;
  private closing: PseudolabelError | undefined;
  private fault: PseudolabelError | undefined;
  private readonly ended: Promise<PseudolabelError>;
  private readonly heartbeat: Heartbeat;

  constructor(
    private readonly connection: Connection,
    clock: Clock = SYSTEM_CLOCK,
  ) {
    const { ws, stream, wire, peer } = connection;
    this.peer = peer;
    this.heartbeat = new Heartbeat(clock, {
      beat: () => void (ws.readyState === ws.OPEN && ws.ping()),
      silent: (milliseconds) => this.drop(connectionLost(peer, `was silent for ${milliseconds / 1000} s`)),
    });
    // What a machine sends to itself is copied from memory to memory; TLS authenticates every record.
    this.isGuarded = stream !== wire || isLoopback(wire.remoteAddress ?? '');
    ws.binaryType = 'fragments'; // as they came: putting a megabyte together would copy it
    ws.on('message', (data, isBinary) => this.receive(data, isBinary));
    ws.on('error', (error) => {
      this.fault ??= faultOf(error, peer);
    });
    this.ended = new Promise((resolve) => {
      ws.on('close', (code, text) => {
        this.heartbeat.stop();
        const reason = this.closing ?? this.fault ?? reasonOf(code, text.toString(), peer);
        resolve(reason);
        this.inbox.end(reason);
      });
    });
    stream.prependListener('data', ({ length }: Buffer) => this.hear(length));
  }

  get traffic(): Pipe['traffic'] {
    const { wire } = this.connection;
    return { sent: wire.bytesWritten, received: wire.bytesRead };
  }

  /** The other side is known from now on: no limit but a frame's, and a heartbeat every `heartbeat` ms, expected of it as well. */
  trust(heartbeat: number): void {
    this.trusted = true;
    const { ws } = this.connection;
    if (ws.readyState === ws.CLOSED) return;
    this.heartbeat.start(heartbeat);
  }

  next(): Promise<Frame> {
    this.connection.ws.resume();
    return this.inbox.next();
  }

  listen(listener: PipeListener): void {
    this.inbox.listen(listener);
    this.connection.ws.resume();
  }

  /** Resolves when the operating system has taken the frame. */
  send([head, body]: Frame): Promise<void> {
    const { ws, stream } = this.connection;
    if (this.closing || ws.readyState !== ws.OPEN) return this.ended.then((reason) => Promise.reject(reason));
    return new Promise((resolve, reject) => {
      // Two fragments of one message arrive as two pieces: the body needs no copy behind its head here, nor from behind it there.
      stream.cork();
      ws.send(head!, { binary: true, fin: false });
      ws.send(body!, { binary: true, fin: true }, (error) => {
        if (error) this.ended.then(reject);
        else resolve();
      });
      stream.uncork();
    });
  }

  close(reason = closedHere(this.peer)): void {
    if (this.closing) return;
    this.closing = reason;
    this.inbox.stop(reason);
    const { ws } = this.connection;
    const { code, text } = closeFrameOf(reason);
    ws.close(code, text);
    ws.resume(); // its answer has to be read
    if (!this.trusted) {
      const timer = setTimeout(() => ws.terminate(), STRANGER_GRACE_MS);
      ws.once('close', () => clearTimeout(timer));
    }
  }

  private receive(data: RawData, isBinary: boolean): void {
    if (!isBinary) this.close(new PseudolabelError('E_PROTOCOL', `${this.peer} sent text`, 'is that a worker?'));
    else if (!this.inbox.put(data as Buffer[])) this.connection.ws.pause(); // nobody has asked for it yet
  }

  private hear(bytes: number): void {
    this.heartbeat.heard();
    if (this.trusted) hasArrived(bytes);
    const { wire, allowance } = this.connection;
    if (this.trusted || wire.bytesRead <= allowance) return;
    const message = `${this.peer} sent more than ${allowance} bytes before it was known`;
    this.drop(new PseudolabelError('E_TOO_LARGE', message, 'is that a worker?'));
  }

  private drop(reason: PseudolabelError): void {
    this.closing ??= reason;
    this.inbox.stop(this.closing);
    this.connection.ws.terminate();
  }
}

function faultOf(error: Error & { code?: string }, peer: string): PseudolabelError {
  if (!error.code?.startsWith('WS_ERR_')) return connectionLost(peer, `broke: ${error.message}`, error);
  const code = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'E_TOO_LARGE' : 'E_PROTOCOL';
  const fix =
    'run the same version on both machines; if it is the same, something between them alters what passes: use TLS';
  return new PseudolabelError(code, `${peer} sent what is no frame: ${error.message}`, fix, { cause: error });
}
