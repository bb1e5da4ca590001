// Unauthenticated connections: the way from a new connection to one that has proven that it knows the token; how many may be on it, from where
// and for how long, and that it ends for everyone.
import type { KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../src/clock.js';
import { type ErrorCode, PseudolabelError } from '../../src/errors.js';
import { admit, welcome } from '../../src/protocol/handshake.js';
import { tlsBinding } from '../../worker/address.js';
import { SOCKET_OPTIONS, tooMuch, WebSocketTransport } from '../../worker/websocket-transport.js';
import type { Certificate } from './secrets.js';

export interface ConnectionLimits {
  /** Connections that have not proven anything yet. */
  readonly unauthenticated: number;
  readonly unauthenticatedPerAddress: number;
  /** New connections from one address within a second. */
  readonly rate: number;
}

const WINDOW_MS = 1000;

export class ConnectionLimiter {
  private unauthenticated = 0;
  private readonly perAddress = new Map<string, number>();
  /** Of the present second; emptied with it, so that many addresses cannot fill the memory. */
  private readonly recent = new Map<string, number>();
  private windowStart = 0;

  constructor(
    private readonly limits: ConnectionLimits,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** Lets a stranger in and returns what to call, once, when it is none any more: known, or gone. undefined: not let in. */
  enter(address: string): (() => void) | undefined {
    const here = this.perAddress.get(address) ?? 0;
    const tooFast = this.count(address) > this.limits.rate;
    if (tooFast || this.unauthenticated >= this.limits.unauthenticated || here >= this.limits.unauthenticatedPerAddress)
      return undefined;
    this.unauthenticated++;
    this.perAddress.set(address, here + 1);
    let inside = true;
    return () => {
      if (inside) this.leave(address);
      inside = false;
    };
  }

  private leave(address: string): void {
    this.unauthenticated--;
    const here = this.perAddress.get(address)! - 1;
    if (here === 0) this.perAddress.delete(address);
    else this.perAddress.set(address, here);
  }

  private count(address: string): number {
    if (this.clock.now() - this.windowStart >= WINDOW_MS) {
      this.recent.clear();
      this.windowStart = this.clock.now();
    }
    const attempts = (this.recent.get(address) ?? 0) + 1;
    this.recent.set(address, attempts);
    return attempts;
  }
}

export interface UnauthenticatedLimits extends ConnectionLimits {
  /** Workers that are in; when there are so many, no further one is let in. */
  readonly known: number;
  /** For all of the way, from the first byte of TCP to the last of the handshake, in ms. */
  readonly deadline: number;
}

export interface UnauthenticatedOptions {
  readonly tls: Certificate | undefined;
  readonly token: KeyObject;
  readonly limits: UnauthenticatedLimits;
  readonly heartbeat: number;
  /** Checksums over payloads even where nothing can change them unnoticed. */
  readonly checksAll: boolean;
  /** Bytes of the longest frame to receive. */
  readonly longest: number;
  /** Bytes that may come from the proof to the end of the first message; undefined: any. */
  readonly firstBytes: number | undefined;
  /** By which everything here is timed. */
  readonly clock: Clock;
}

/** An upgrade request of ws has some 200 bytes of header. */
const MOST_HEADER_BYTES = 2048;

/** What a stranger may send in all: TLS and upgrade take some 1,000 bytes, the messages of a handshake at most 600. */
const MOST_STRANGER_BYTES = 4096;

/** What TLS reads without passing anything on is looked at so often. */
const LOOK_MS = 100;

interface Stranger {
  readonly wire: Socket;
  transport?: WebSocketTransport;
  /** Frees its place. */
  readonly leave: () => void;
}

export class UnauthenticatedConnections {
  readonly refused = new Map<ErrorCode, number>();
  private readonly limiter: ConnectionLimiter;
  private readonly inside = new Map<Duplex, Stranger>();
  private known = 0;
  private readonly http: Server;
  private readonly upgrades: WebSocketServer;

  constructor(
    private readonly options: UnauthenticatedOptions,
    private readonly arrived: (transport: WebSocketTransport, isGuarded: boolean) => void,
  ) {
    this.limiter = new ConnectionLimiter(options.limits, options.clock);
    const own = { maxPayload: options.longest, noServer: true, clientTracking: false };
    this.upgrades = new WebSocketServer({ ...SOCKET_OPTIONS, ...own });
    // It listens nowhere: connections are handed to it.
    this.http = createServer({ maxHeaderSize: MOST_HEADER_BYTES }, (_, response) => {
      response.writeHead(426, { connection: 'close' }).end();
    });
    this.http.on('upgrade', (request, stream, head) => {
      const stranger = this.inside.get(stream);
      if (!stranger) stream.destroy();
      else this.upgrades.handleUpgrade(request, stream, head, (ws) => this.meet(ws, stream, stranger));
    });
  }

  get size(): number {
    return this.inside.size;
  }

  /** Whom the gate does not let in gets no answer: TLS, which an answer needs, would cost more than asking did. */
  take(wire: Socket): void {
    wire.on('error', () => undefined);
    const leaveGate = this.limiter.enter(wire.remoteAddress ?? '');
    if (!leaveGate) {
      this.count('E_BUSY');
      wire.resetAndDestroy();
      return;
    }
    const { tls, limits, clock } = this.options;
    const stream = tls ? new TLSSocket(wire, { isServer: true, secureContext: tls.context }) : wire;
    stream.on('error', () => undefined); // it closes then, which is waited for
    const cancel = clock.after(limits.deadline, () => this.expire(stranger));
    const watch = () => this.watch(stranger);
    const looking = setInterval(watch, LOOK_MS);
    const leave = () => {
      cancel();
      clearInterval(looking);
      stream.off('data', watch);
      this.inside.delete(stream);
      leaveGate();
    };
    const stranger: Stranger = { wire, leave };
    this.inside.set(stream, stranger);
    wire.once('close', leave);
    this.http.emit('connection', stream);
    // After that: the HTTP server now reads by events instead of from the handle, where nobody would see how much. Before its parser.
    stream.prependListener('data', watch);
  }

  close(): void {
    for (const { wire } of this.inside.values()) wire.destroy();
  }

  private async meet(ws: WebSocket, stream: Duplex, stranger: Stranger): Promise<void> {
    const { wire } = stranger;
    const { token, heartbeat, limits, checksAll, firstBytes, clock } = this.options;
    const peer = `${wire.remoteAddress}:${wire.remotePort}`;
    const transport = new WebSocketTransport({ ws, stream, wire, peer }, clock);
    stranger.transport = transport;
    try {
      const binding = stream instanceof TLSSocket ? tlsBinding(stream) : new Uint8Array();
      const isGuarded = (await admit(transport, { token, binding })) && !checksAll;
      if (this.known >= limits.known) throw full(limits.known);
      this.known++;
      wire.once('close', () => this.known--);
      stranger.leave();
      transport.trust(heartbeat, firstBytes); // before the welcome: its answer is no stranger's
      await welcome(transport, { heartbeat, isGuarded });
      this.arrived(transport, isGuarded);
    } catch (error) {
      if (!(error instanceof PseudolabelError)) throw error;
      this.count(error.code);
      transport.close(error);
    }
  }

  /** The bytes of the socket count from the first one, whatever TLS and HTTP make of them. */
  private watch(stranger: Stranger): void {
    const { wire } = stranger;
    if (wire.bytesRead <= MOST_STRANGER_BYTES) return;
    this.end(stranger, tooMuch(`${wire.remoteAddress}`, 'it was known'));
  }

  private expire(stranger: Stranger): void {
    const message = `no handshake within ${this.options.limits.deadline} ms`;
    const reason = new PseudolabelError('E_TIMEOUT', message, 'is that a worker, and is the network that slow?');
    if (stranger.transport)
      stranger.transport.close(reason); // which meet() counts
    else this.end(stranger, reason);
  }

  private end({ wire, transport }: Stranger, reason: PseudolabelError): void {
    if (transport) transport.cut(reason);
    else if (!wire.destroyed) {
      this.count(reason.code);
      wire.destroy();
    }
  }

  private count(code: ErrorCode): void {
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}

function full(known: number): PseudolabelError {
  return new PseudolabelError('E_BUSY', `there are ${known} workers already`, 'give fewer workers more threads each');
}
