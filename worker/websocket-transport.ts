// Sends and receives frames over a WebSocket, with few copies, back-pressure and a heartbeat. Every connection is sure
// to end.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RawData, WebSocket } from 'ws';
import { type Clock, SYSTEM_CLOCK } from '../src/clock.js';
import { PseudolabelError } from '../src/errors.js';
import { closedHere, closeFrameOf, connectionLost, reasonOf } from '../src/protocol/close-codes.js';
import type { Frame } from '../src/protocol/codec.js';
import { type FrameListener, type FrameTransport, ReceiveQueue } from '../src/protocol/frame-transport.js';
import { isLoopback } from './address.js';

/** Milliseconds that an unauthenticated peer has to answer a close frame. */
const UNAUTHENTICATED_CLOSE_MS = 1000;

/**
 * Options for both sides. Compression costs more than the network time that it saves, and a pong says no more than the
 * other side's ping.
 */
export const SOCKET_OPTIONS = { perMessageDeflate: false, autoPong: false } as const;

export interface Connection {
  readonly ws: WebSocket;
  /** What the WebSocket reads and writes: the TCP socket itself, or TLS over it. */
  readonly stream: Duplex;
  /** The TCP socket, which counts the bytes. */
  readonly wire: Socket;
  readonly peer: string;
}

/** Takes over an open WebSocket. Until trust() is called, the other side is unauthenticated. */
export class WebSocketTransport implements FrameTransport {
  readonly peer: string;
  readonly isGuarded: boolean;
  private readonly inbox = new ReceiveQueue();
  private trusted = false;
  /** The most bytes that the socket may receive before the first frame of a trusted side. */
  private mostBytes = Number.POSITIVE_INFINITY;
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
      silent: (milliseconds) => this.cut(connectionLost(peer, `was silent for ${milliseconds / 1000} s`)),
    });
    // TLS authenticates every record. On loopback, bytes are copied from memory to memory.
    this.isGuarded = stream !== wire || isLoopback(wire.remoteAddress ?? '');
    ws.binaryType = 'fragments'; // Data comes in pieces, because joining a megabyte would copy it.
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

  get traffic(): FrameTransport['traffic'] {
    const { wire } = this.connection;
    return { sent: wire.bytesWritten, received: wire.bytesRead };
  }

  /**
   * Trusts the other side from now on. Sends a heartbeat every `heartbeat` ms, and expects one from the other side as
   * well.
   * @param firstBytes the most bytes before its first frame is here; after that, only a frame has a limit
   */
  trust(heartbeat: number, firstBytes = Number.POSITIVE_INFINITY): void {
    this.trusted = true;
    const { ws, wire } = this.connection;
    this.mostBytes = wire.bytesRead + firstBytes;
    if (ws.readyState === ws.CLOSED) return;
    this.heartbeat.start(heartbeat);
  }

  next(): Promise<Frame> {
    this.connection.ws.resume();
    return this.inbox.next();
  }

  listen(listener: FrameListener): void {
    this.inbox.listen(listener);
    this.connection.ws.resume();
  }

  /** Resolves when the operating system has taken the frame. */
  send([head, body]: Frame): Promise<void> {
    const { ws, stream } = this.connection;
    if (this.closing || ws.readyState !== ws.OPEN) return this.ended.then((reason) => Promise.reject(reason));
    return new Promise((resolve, reject) => {
      // Two fragments of one message arrive as two pieces, so that the body is copied on neither side.
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
    ws.resume(); // The transport resumes to read the answer.
    if (!this.trusted) {
      const timer = setTimeout(() => ws.terminate(), UNAUTHENTICATED_CLOSE_MS);
      ws.once('close', () => clearTimeout(timer));
    }
  }

  /** Ends the connection at once, without a close frame. */
  cut(reason: PseudolabelError): void {
    this.closing ??= reason;
    this.inbox.stop(this.closing);
    this.connection.ws.terminate();
  }

  private receive(data: RawData, isBinary: boolean): void {
    if (this.trusted) this.mostBytes = Number.POSITIVE_INFINITY;
    if (!isBinary) this.close(new PseudolabelError('E_PROTOCOL', `${this.peer} sent text`, 'is that a worker?'));
    else if (!this.inbox.put(data as Buffer[])) this.connection.ws.pause(); // Nothing has asked for the frame yet.
  }

  private hear(bytes: number): void {
    this.heartbeat.heard();
    if (this.trusted) hasArrived(bytes);
    if (this.connection.wire.bytesRead > this.mostBytes) this.cut(tooMuch(this.peer, 'its first message was here'));
  }
}

/**
 * Makes the error for a side that sends too much.
 * @param before what the other side had to do first
 */
export function tooMuch(peer: string, before: string): PseudolabelError {
  return new PseudolabelError('E_TOO_LARGE', `${peer} sent too many bytes before ${before}`, 'is that a worker?');
}

function faultOf(error: Error & { code?: string }, peer: string): PseudolabelError {
  if (!error.code?.startsWith('WS_ERR_')) return connectionLost(peer, `broke: ${error.message}`, error);
  const code = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'E_TOO_LARGE' : 'E_PROTOCOL';
  const fix =
    'run the same version on both machines; if it is the same, something between them alters what passes: use TLS';
  return new PseudolabelError(code, `${peer} sent what is no frame: ${error.message}`, fix, { cause: error });
}

/** The number of missed heartbeats after which the other side counts as lost. */
const MISSED_HEARTBEATS = 2;

/** Checks of the clock per heartbeat. The end comes at the second missed heartbeat or one tick before, never later. */
const TICKS = 4;

interface HeartbeatListener {
  /** It is time to send a heartbeat. */
  beat(): void;
  /** Nothing has come for this time, in milliseconds. */
  silent(milliseconds: number): void;
}

/** Sends a heartbeat at every interval, and ends a connection that has been silent for two. */
export class Heartbeat {
  private lastHeard: number;
  private cancel: () => void = () => undefined;

  constructor(
    private readonly clock: Clock,
    private readonly listener: HeartbeatListener,
  ) {
    this.lastHeard = clock.now();
  }

  /**
   * Starts the heartbeat.
   * @param interval of both sides, in ms
   */
  start(interval: number): void {
    const { clock, listener } = this;
    const tick = interval / TICKS;
    const silence = MISSED_HEARTBEATS * interval;
    let ticks = 0;
    const look = (due: number): void => {
      this.cancel = clock.after(due - clock.now(), () => {
        const now = clock.now();
        // A process that was suspended has not read what came meanwhile, and has sent no heartbeat.
        if (now - due > interval / 2) this.lastHeard = now;
        look(now + tick);
        if (now - this.lastHeard > silence - tick) listener.silent(silence);
        else if (++ticks % TICKS === 0) listener.beat();
      });
    };
    look(clock.now() + tick);
  }

  /** Notes that bytes came. They may be a part of a frame, which takes long on a slow network. */
  heard(): void {
    this.lastHeard = this.clock.now();
  }

  stop(): void {
    this.cancel();
  }
}

/**
 * The bytes that arrive between two collections. V8 counts the bytes of every buffer that a socket reads into as
 * pressure on its whole heap. Without these collections, a step that receives 16 MB makes it mark 28 MB of loaded
 * modules, with four threads, at nearly every step. A buffer must not be in use at two collections in a row, because it
 * would count as old.
 */
const EVERY = 2 ** 23;

/** Collects the young generation, which takes about 0.4 ms in the calling thread alone. Buffers are short-lived. */
let collectYoung: (() => void) | undefined;
let arrived = 0;

/** Counts bytes that have arrived in buffers which are no longer needed, and collects these when there are many. */
function hasArrived(bytes: number): void {
  collectYoung ??= collector(); // This comes with the first bytes, because its flags hold for the whole thread.
  arrived += bytes;
  if (arrived < EVERY) return;
  arrived = 0;
  collectYoung();
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  // The whole heap is still marked when it has grown to five times its size.
  setFlagsFromString('--heap-growing-percent=400');
  // Little survives a collection, so waking other threads would take longer than they save.
  setFlagsFromString('--no-parallel-scavenge');
  return typeof collect === 'function' ? () => void collect({ type: 'minor' }) : () => undefined;
}
