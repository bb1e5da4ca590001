// Runs the server of a coordinator: listens, and opens channels with nodes that have authenticated
// (unauthenticated-connections.ts).
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
  /** A host name or IP address. Defaults to 127.0.0.1, which only this machine reaches. */
  readonly host?: string;
  /** Defaults to 0: any free port. */
  readonly port?: number;
  /** If left out, nothing is encrypted. */
  readonly tls?: Certificate;
  readonly token: KeyObject;
  /** Allows listening for other machines without TLS. Defaults to false. */
  readonly insecure?: boolean;
  readonly limits?: Partial<UnauthenticatedLimits>;
  /**
   * The interval of heartbeats in ms, for both sides. A side that is silent for two of them is lost. Defaults to 5,000.
   */
  readonly heartbeat?: number;
  /**
   * Uses checksums over long arrays with TLS and on loopback too, in case loopback is forwarded over a network.
   * Defaults to false.
   */
  readonly checksAll?: boolean;
  readonly tables: MessageTables<Out, In>;
  /** The clock for unauthenticated connections and heartbeats. Defaults to the system's. */
  readonly clock?: Clock;
}

const HEARTBEAT_MS = 5000;

/**
 * The most bytes of the first message. A hello has at most 2,048 bytes; the rest is for heartbeats and records of TLS.
 */
const MOST_FIRST_BYTES = 4096;

/** A handshake takes milliseconds. TLS for the largest number of unauthenticated connections takes a few seconds. */
const LIMITS: UnauthenticatedLimits = {
  unauthenticated: 64,
  unauthenticatedPerAddress: 32,
  rate: 64,
  authenticated: 256,
  deadline: 10_000,
};

/** Starts a server. Throws E_INSECURE, E_LISTEN. */
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
  /** The address that a worker connects to, in the form of parseAddress(). */
  readonly address: string;
  readonly fingerprint: string | undefined;
  /** The address that it listens on, if only this machine reaches that. */
  readonly loopback: string | undefined;
  /**
   * Channels with nodes that have authenticated, in order. The reader must listen to each at once. Ends with close().
   */
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
    server.on('error', () => undefined); // Accepting fails while file descriptors are short. Open channels stay.
  }

  /** The number of connections that were refused, by reason. */
  get refused(): ReadonlyMap<ErrorCode, number> {
    return this.connections.refused;
  }

  /** The number of connections that are unauthenticated. */
  get unauthenticated(): number {
    return this.connections.size;
  }

  /**
   * Returns the arguments of a worker on another machine. The token is not among them: its file has to be copied there.
   */
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

/** Returns an address by which others can reach this machine, if it listens on all addresses. */
export function reachable(address: string): string | undefined {
  if (address !== '0.0.0.0' && address !== '::') return undefined;
  return ownAddress();
}

/** Returns the first address by which others reach this machine, or undefined if it has no network. */
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
