// The server of a coordinator: where it listens, and the channels with those who have authenticated (unauthenticated-connections.ts).
import type { KeyObject } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web';
import { type Clock, SYSTEM_CLOCK } from '../../src/clock.js';
import { type ErrorCode, PseudolabelError } from '../../src/errors.js';
import type { Channel, Message } from '../../src/protocol/channel.js';
import { longestFrame, type MessageTables } from '../../src/protocol/codec.js';
import { FramedChannel } from '../../src/protocol/framed-channel.js';
import { formatAddress, isLoopback } from '../../worker/address.js';
import type { Certificate } from './secrets.js';
import { UnauthenticatedConnections, type UnauthenticatedLimits } from './unauthenticated-connections.js';

export interface ListenOptions<Out extends Message, In extends Message> {
  /** Name or IP address. Default: 127.0.0.1, which only this machine reaches. */
  readonly host?: string;
  /** Default: 0, any that is free. */
  readonly port?: number;
  /** Without it, nothing is encrypted. */
  readonly tls?: Certificate;
  readonly token: KeyObject;
  /** Allows listening beyond this machine without TLS. Default: false. */
  readonly insecure?: boolean;
  readonly limits?: Partial<UnauthenticatedLimits>;
  /** Interval of heartbeats in ms, for both sides: a side that is silent for two of them is lost. Default: 5,000. */
  readonly heartbeat?: number;
  /** Checksums over long arrays with TLS and on loopback too, for what forwards loopback over a network. Default: false. */
  readonly checksAll?: boolean;
  readonly tables: MessageTables<Out, In>;
  /** By which unauthenticated connections and heartbeats are timed. Default: the system's. */
  readonly clock?: Clock;
}

const HEARTBEAT_MS = 5000;

/** A hello has at most 2,048 bytes; the rest is for heartbeats and records of TLS. */
const MOST_FIRST_BYTES = 4096;

/** A handshake takes milliseconds, and TLS for as many unauthenticated connections as there may be some seconds. */
const LIMITS: UnauthenticatedLimits = {
  unauthenticated: 64,
  unauthenticatedPerAddress: 32,
  rate: 64,
  authenticated: 256,
  deadline: 10_000,
};

/** Throws E_INSECURE, E_LISTEN. */
export async function listen<Out extends Message, In extends Message>(
  options: ListenOptions<Out, In>,
): Promise<Server<Out, In>> {
  const { host = '127.0.0.1', port = 0, tls, insecure = false } = options;
  const server = createServer({ noDelay: true });
  try {
    const { address } = await lookup(host);
    if (!tls && !insecure && !isLoopback(address)) throw notEncrypted(host);
    server.listen({ host: address, port });
    await once(server, 'listening');
  } catch (error) {
    throw error instanceof PseudolabelError ? error : cannotListen(host, port, error);
  }
  return new Server(server, host, options);
}

export class Server<Out extends Message, In extends Message> {
  /** What a worker connects to, as parseAddress() reads it. */
  readonly address: string;
  readonly fingerprint: string | undefined;
  /** The address that it listens on, where none but this machine reaches that. */
  readonly loopback: string | undefined;
  /** Channels with those who have authenticated, in order. Listen to each at once. Ends with close(). */
  readonly arrivals: ReadableStream<Channel<Out, In>>;
  private readonly connections: UnauthenticatedConnections;
  private controller!: ReadableStreamDefaultController<Channel<Out, In>>;
  private closed = false;

  constructor(
    private readonly server: NetServer,
    host: string,
    {
      tls,
      token,
      limits,
      heartbeat = HEARTBEAT_MS,
      checksAll = false,
      tables,
      clock = SYSTEM_CLOCK,
    }: ListenOptions<Out, In>,
  ) {
    const { address, port } = server.address() as AddressInfo;
    this.address = formatAddress({ tls: tls !== undefined, host: reachable(address) ?? host, port });
    this.fingerprint = tls?.fingerprint;
    this.loopback = isLoopback(address) ? address : undefined;
    this.arrivals = new ReadableStream({
      start: (controller) => {
        this.controller = controller;
      },
    });
    const longest = longestFrame(tables.incoming);
    const firstBytes = tables.first && MOST_FIRST_BYTES;
    const options = { tls, token, limits: { ...LIMITS, ...limits }, heartbeat, checksAll, longest, firstBytes, clock };
    this.connections = new UnauthenticatedConnections(options, (transport, isGuarded) => {
      if (this.closed) transport.close();
      else this.controller.enqueue(new FramedChannel(transport, tables, isGuarded));
    });
    server.on('connection', (wire) => this.connections.accept(wire));
    server.on('error', () => undefined); // accepting fails while file descriptors are short: channels stay
  }

  /** How many connections were refused, by reason. */
  get refused(): ReadonlyMap<ErrorCode, number> {
    return this.connections.refused;
  }

  /** How many connections are unauthenticated. */
  get unauthenticated(): number {
    return this.connections.size;
  }

  /** Arguments of a worker on another machine. The token is not among them: its file has to be copied there. */
  joinWith(tokenFile: string): string[] {
    const pin = this.fingerprint === undefined ? [] : ['--fingerprint', this.fingerprint];
    const isPlain = this.fingerprint === undefined && this.loopback === undefined;
    return [this.address, '--token-file', tokenFile, ...pin, ...(isPlain ? ['--insecure'] : [])];
  }

  /** Accepts no connections any more. Channels stay open. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.server.close();
    this.connections.close();
    this.controller.close();
  }
}

/** An address of this machine that others can reach it by, where it listens on all of them. */
export function reachable(address: string): string | undefined {
  if (address !== '0.0.0.0' && address !== '::') return undefined;
  return ownAddress();
}

/** The first address by which others reach this machine; undefined where it has no network. */
export function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

function notEncrypted(host: string): PseudolabelError {
  const fix = 'leave TLS on, or give --insecure on a network where nobody else can read or write';
  return new PseudolabelError(
    'E_INSECURE',
    `${host} can be reached from other machines, and nothing would be encrypted`,
    fix,
  );
}

function cannotListen(host: string, port: number, cause: unknown): PseudolabelError {
  const what = cause instanceof Error ? cause.message : String(cause);
  const fix = 'give an address of this machine and a port that is free and above 1023, or 0 for any';
  return new PseudolabelError('E_LISTEN', `cannot listen on ${host}, port ${port}: ${what}`, fix, { cause });
}
