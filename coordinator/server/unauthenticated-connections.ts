// Handles unauthenticated connections, from the first byte to the proof that the other side knows the token. Limits
// their number, in all and by address, their time and their bytes, so that each of them either authenticates or ends.
import type { KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../src/clock.js';
import { type ErrorCode, PseudolabelError } from '../../src/errors.js';
import { admit, welcome } from '../../src/protocol/token-handshake.js';
import { tlsBinding } from '../../worker/address.js';
import { SOCKET_OPTIONS, tooMuch, WebSocketTransport } from '../../worker/websocket-transport.js';
import type { Certificate } from './secrets.js';

interface ConnectionLimits {
  /** The most unauthenticated connections at a time. */
  readonly unauthenticated: number;
  readonly unauthenticatedPerAddress: number;
  /** The most new connections from one address within a second. */
  readonly rate: number;
}

const WINDOW_MS = 1000;

/** Counts unauthenticated connections, in all and by address, and new ones by address within a second. */
export class ConnectionLimiter {
  private unauthenticated = 0;
  private readonly perAddress = new Map<string, number>();
  /** New connections of the present second. They are deleted with it, so that many addresses cannot fill the memory. */
  private readonly recent = new Map<string, number>();
  private windowStart = 0;

  constructor(
    private readonly limits: ConnectionLimits,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /**
   * Counts a connection. Returns a function to call when it is authenticated or has ended, or undefined if it is one
   * too many.
   */
  enter(address: string): (() => void) | undefined {
    const here = this.perAddress.get(address) ?? 0;
    const tooFast = this.count(address) > this.limits.rate;
    if (tooFast || this.unauthenticated >= this.limits.unauthenticated || here >= this.limits.unauthenticatedPerAddress)
      return undefined;
    this.unauthenticated++;
    this.perAddress.set(address, here + 1);
    let isCounted = true;
    return () => {
      if (isCounted) this.leave(address);
      isCounted = false;
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
  /** The most authenticated connections at a time. */
  readonly authenticated: number;
  /** Milliseconds from the first byte of TCP to the last of the handshake. */
  readonly deadline: number;
}

interface UnauthenticatedOptions {
  readonly tls: Certificate | undefined;
  readonly token: KeyObject;
  readonly limits: UnauthenticatedLimits;
  readonly heartbeat: number;
  /** Uses checksums over payloads even if nothing can change them unnoticed. */
  readonly checksAll: boolean;
  /** Bytes of the longest frame to receive. */
  readonly longest: number;
  /** The most bytes from the proof to the end of the first message; undefined: any number. */
  readonly firstBytes: number | undefined;
  /** The clock for all times here. */
  readonly clock: Clock;
}

/** The most bytes of a header. An upgrade request of ws has about 200 bytes. */
const MOST_HEADER_BYTES = 2048;

/**
 * The most bytes before authentication, in all. TLS and the upgrade take about 1,000 bytes, the messages of a handshake
 * at most 600.
 */
const MOST_BYTES = 4096;

/**
 * Milliseconds between two looks at how much has come. They are needed because TLS may read without passing anything
 * on.
 */
const LOOK_MS = 100;

/** An unauthenticated connection. */
interface Pending {
  readonly wire: Socket;
  transport?: WebSocketTransport;
  /** Ends the time in which it counts as unauthenticated. */
  readonly leave: () => void;
}

export class UnauthenticatedConnections {
  /** The number of connections that have been refused, by reason. */
  readonly refused = new Map<ErrorCode, number>();
  private readonly limiter: ConnectionLimiter;
  private readonly pending = new Map<Duplex, Pending>();
  private authenticated = 0;
  private readonly http: Server;
  private readonly upgrades: WebSocketServer;

  /** arrived: is given each connection that has authenticated. */
  constructor(
    private readonly options: UnauthenticatedOptions,
    private readonly arrived: (transport: WebSocketTransport, isGuarded: boolean) => void,
  ) {
    this.limiter = new ConnectionLimiter(options.limits, options.clock);
    const own = { maxPayload: options.longest, noServer: true, clientTracking: false };
    this.upgrades = new WebSocketServer({ ...SOCKET_OPTIONS, ...own });
    // This server listens on no port: connections are handed to it.
    this.http = createServer({ maxHeaderSize: MOST_HEADER_BYTES }, (_, response) => {
      response.writeHead(426, { connection: 'close' }).end();
    });
    this.http.on('upgrade', (request, stream, head) => {
      const pending = this.pending.get(stream);
      if (!pending) stream.destroy();
      else this.upgrades.handleUpgrade(request, stream, head, (ws) => this.authenticate(ws, stream, pending));
    });
  }

  get size(): number {
    return this.pending.size;
  }

  /**
   * Accepts a connection. One that is one too many gets no answer, because TLS, which an answer needs, would cost more
   * here than the request cost.
   */
  accept(wire: Socket): void {
    wire.on('error', () => undefined);
    const uncount = this.limiter.enter(wire.remoteAddress ?? '');
    if (!uncount) {
      this.count('E_BUSY');
      wire.resetAndDestroy();
      return;
    }
    const { tls, limits, clock } = this.options;
    const stream = tls ? new TLSSocket(wire, { isServer: true, secureContext: tls.context }) : wire;
    stream.on('error', () => undefined); // The stream closes after an error, and that is waited for.
    const cancel = clock.after(limits.deadline, () => this.expire(pending));
    const watch = () => this.watch(pending);
    const looking = setInterval(watch, LOOK_MS);
    const leave = () => {
      cancel();
      clearInterval(looking);
      stream.off('data', watch);
      this.pending.delete(stream);
      uncount();
    };
    const pending: Pending = { wire, leave };
    this.pending.set(stream, pending);
    wire.once('close', leave);
    this.http.emit('connection', stream);
    // This comes after that event, because the HTTP server now reads by events. Before, it read from the handle, where
    // the bytes could not be counted. The listener comes before the server's parser.
    stream.prependListener('data', watch);
  }

  close(): void {
    for (const { wire } of this.pending.values()) wire.destroy();
  }

  private async authenticate(ws: WebSocket, stream: Duplex, pending: Pending): Promise<void> {
    const { wire } = pending;
    const { token, heartbeat, limits, checksAll, firstBytes, clock } = this.options;
    const peer = `${wire.remoteAddress}:${wire.remotePort}`;
    const transport = new WebSocketTransport({ ws, stream, wire, peer }, clock);
    pending.transport = transport;
    try {
      const binding = stream instanceof TLSSocket ? tlsBinding(stream) : new Uint8Array();
      const isGuarded = (await admit(transport, { token, binding })) && !checksAll;
      if (this.authenticated >= limits.authenticated) throw full(limits.authenticated);
      this.authenticated++;
      wire.once('close', () => this.authenticated--);
      pending.leave();
      transport.trust(heartbeat, firstBytes); // This comes before the welcome, whose answer is already that of a node.
      await welcome(transport, { heartbeat, isGuarded });
      this.arrived(transport, isGuarded);
    } catch (error) {
      if (!(error instanceof PseudolabelError)) throw error;
      this.count(error.code);
      transport.close(error);
    }
  }

  /** Counts the bytes of the socket from the first one on, including those of TLS and HTTP. */
  private watch(pending: Pending): void {
    const { wire } = pending;
    if (wire.bytesRead <= MOST_BYTES) return;
    this.end(pending, tooMuch(`${wire.remoteAddress}`, 'it was known'));
  }

  private expire(pending: Pending): void {
    const message = `no handshake within ${this.options.limits.deadline} ms`;
    const reason = new PseudolabelError('E_TIMEOUT', message, 'is that a worker, and is the network that slow?');
    if (pending.transport)
      pending.transport.close(reason); // authenticate() counts this one.
    else this.end(pending, reason);
  }

  private end({ wire, transport }: Pending, reason: PseudolabelError): void {
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

function full(authenticated: number): PseudolabelError {
  return new PseudolabelError(
    'E_BUSY',
    `there are ${authenticated} workers already`,
    'give fewer workers more threads each',
  );
}
