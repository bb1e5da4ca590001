// Opens a channel from a worker to its coordinator by TCP, TLS, WebSocket and a handshake. It tries again for as long
// as it is told to.
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { Clock } from '../src/clock.js';
import { PseudolabelError } from '../src/errors.js';
import type { Channel, Message } from '../src/protocol/channel.js';
import { longestFrame, type MessageTables } from '../src/protocol/codec.js';
import { FramedChannel } from '../src/protocol/framed-channel.js';
import { introduce, type Terms } from '../src/protocol/token-handshake.js';
import { type Address, formatAddress, isLoopback, parseAddress, TLS_OPTIONS, tlsBinding } from './address.js';
import { SOCKET_OPTIONS, WebSocketTransport } from './websocket-transport.js';

export interface ConnectOptions<Out extends Message, In extends Message> {
  /** The address, in the form of parseAddress(). */
  readonly address: string;
  readonly token: KeyObject;
  /** The SHA-256 of the coordinator's certificate, in hexadecimal digits. */
  readonly fingerprint?: string;
  /** Allows an address of another machine without TLS. Defaults to false. */
  readonly insecure?: boolean;
  readonly tables: MessageTables<Out, In>;
  /** Milliseconds for which it tries. Defaults to 0: one attempt. */
  readonly patience?: number;
  /** The clock for heartbeats. Defaults to the system's. */
  readonly clock?: Clock;
  /** Aborts to stop trying. connect() then rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Is called for each failure that is followed by another attempt, `delay` ms later. */
  readonly onRetry?: (failure: PseudolabelError, delay: number) => void;
}

/** The deadline of an attempt (TCP, TLS, WebSocket and handshake), in ms. */
const ATTEMPT_MS = 10_000;

/** The longest first pause between attempts, in ms. It doubles with each attempt up to LONGEST_PAUSE_MS. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/** Errors that may not come again at the next attempt. A wrong token, version or certificate stays wrong. */
const PASSING = new Set(['E_UNREACHABLE', 'E_CONNECTION_LOST', 'E_TIMEOUT', 'E_BUSY', 'E_CLOSED']);

/**
 * Opens a channel to a coordinator. Both sides have proven that they know the token.
 * Throws E_UNREACHABLE, E_CONNECTION_LOST, E_TIMEOUT, E_BUSY or E_CLOSED when its patience ends. Throws E_USAGE,
 * E_INSECURE, E_FINGERPRINT, E_TOKEN, E_VERSION, E_PROTOCOL or E_TOO_LARGE at once.
 */
export async function connect<Out extends Message, In extends Message>(
  options: ConnectOptions<Out, In>,
): Promise<Channel<Out, In>> {
  const { patience = 0, signal, onRetry } = options;
  const deadline = performance.now() + patience;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await attempt(options);
    } catch (error) {
      signal?.throwIfAborted();
      // The pause is random, so that workers that lost one coordinator together do not all come back together.
      const delay = Math.random() * pause;
      if (!isPassing(error) || performance.now() + delay > deadline) throw error;
      onRetry?.(error, delay);
      await sleep(delay, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}

async function attempt<Out extends Message, In extends Message>({
  address,
  token,
  fingerprint,
  insecure = false,
  tables,
  signal,
  clock,
}: ConnectOptions<Out, In>): Promise<Channel<Out, In>> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(tooSlow(address)), ATTEMPT_MS);
  const stop = () => limit.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    const dialled = await dial(
      { address: parseAddress(address), fingerprint, insecure, longest: longestFrame(tables.incoming), clock },
      limit.signal,
    );
    const { isGuarded } = await introduced(dialled, token, limit.signal);
    return new FramedChannel(dialled.transport, tables, isGuarded);
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

async function introduced({ transport, binding }: Dialled, token: KeyObject, limit: AbortSignal): Promise<Terms> {
  limit.addEventListener('abort', () => transport.close(), { once: true });
  try {
    const terms = await introduce(transport, { token, binding });
    transport.trust(terms.heartbeat);
    return terms;
  } catch (error) {
    transport.close(error instanceof PseudolabelError ? error : undefined);
    throw error;
  }
}

function isPassing(error: unknown): error is PseudolabelError {
  return error instanceof PseudolabelError && PASSING.has(error.code);
}

function tooSlow(address: string): PseudolabelError {
  const message = `${address} did not answer within ${ATTEMPT_MS / 1000} s`;
  return new PseudolabelError('E_TIMEOUT', message, 'check that the coordinator is there and not overloaded');
}

export interface DialOptions {
  readonly address: Address;
  /**
   * The SHA-256 of the coordinator's certificate, 64 hexadecimal digits. Without it, only the handshake proves the
   * coordinator's identity.
   */
  readonly fingerprint: string | undefined;
  /** Allows an address of another machine without TLS. */
  readonly insecure: boolean;
  /** Bytes of the longest frame to receive. */
  readonly longest: number;
  /** The clock for heartbeats. Defaults to the system's. */
  readonly clock: Clock | undefined;
}

export interface Dialled {
  readonly transport: WebSocketTransport;
  readonly binding: Uint8Array;
}

/**
 * Makes one attempt: TCP, TLS with a pinned certificate, WebSocket. Sends nothing if the certificate is wrong.
 * Throws E_UNREACHABLE, E_FINGERPRINT or E_INSECURE, and the reason of `signal` when it aborts.
 */
export async function dial(
  { address, fingerprint, insecure, longest, clock }: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const wire = connectTcp({ host: address.host, port: address.port, noDelay: true });
  wire.on('error', () => undefined); // The error rejects what is awaited below.
  const peer = formatAddress(address);
  try {
    await once(wire, 'connect', { signal });
    if (!address.tls && !insecure && !isLoopback(wire.remoteAddress!)) throw notEncrypted(peer);
    const tls = address.tls ? await secured(wire, signal, fingerprint, peer) : undefined;
    const stream: Duplex = tls ?? wire;
    const ws = await opened(stream, longest, signal);
    const transport = new WebSocketTransport({ ws, stream, wire, peer }, clock);
    return { transport, binding: tls ? tlsBinding(tls) : new Uint8Array() };
  } catch (error) {
    wire.destroy();
    if (error instanceof PseudolabelError) throw error;
    throw signal.aborted ? signal.reason : unreachable(peer, error);
  }
}

async function secured(
  wire: Socket,
  signal: AbortSignal,
  fingerprint: string | undefined,
  peer: string,
): Promise<TLSSocket> {
  // No public authority is asked, because the certificate is pinned and the handshake's proof covers this TLS session.
  const tls = connectTls({ socket: wire, rejectUnauthorized: false, ...TLS_OPTIONS });
  tls.on('error', () => undefined);
  await once(tls, 'secureConnect', { signal });
  const found = tls.getPeerX509Certificate()?.fingerprint256;
  if (fingerprint !== undefined && !(found && sameFingerprint(found, fingerprint))) throw otherCertificate(peer);
  return tls;
}

async function opened(stream: Duplex, longest: number, signal: AbortSignal): Promise<WebSocket> {
  const ws = new WebSocket('ws://coordinator/', {
    ...SOCKET_OPTIONS,
    maxPayload: longest,
    createConnection: () => stream as Socket,
    // A mask keeps a web page from sending bytes that look like a request to an old proxy. Here no page chooses the
    // bytes, TLS hides them from proxies, and loopback has no proxy. A mask of zeros saves one more pass over 16 MB in
    // each step.
    generateMask: (mask) => mask.fill(0),
  });
  ws.on('error', () => undefined);
  await once(ws, 'open', { signal });
  return ws;
}

/** Compares digits, with or without colons or the name of the hash before them. */
function sameFingerprint(a: string, b: string): boolean {
  const digits = (text: string) =>
    text
      .replace(/^sha256[:=]?/i, '')
      .replaceAll(':', '')
      .toLowerCase();
  return digits(a) === digits(b);
}

function notEncrypted(peer: string): PseudolabelError {
  const fix = 'use wss:// and a coordinator with TLS, or --insecure on a network where nobody else can read or write';
  return new PseudolabelError('E_INSECURE', `${peer} is beyond this machine and would not be encrypted`, fix);
}

function otherCertificate(peer: string): PseudolabelError {
  const fix = 'compare with the join line that the coordinator printed; if it has a new certificate, use its new line';
  return new PseudolabelError('E_FINGERPRINT', `the certificate of ${peer} has another fingerprint`, fix);
}

function unreachable(peer: string, cause: unknown): PseudolabelError {
  const { message, code } = cause as Error & { code?: string };
  const plain = code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER';
  const fix = plain
    ? 'the coordinator may be listening without TLS: use the join line that it printed'
    : 'check that the coordinator runs, its address, and the firewalls between';
  return new PseudolabelError('E_UNREACHABLE', `${peer} cannot be reached: ${message}`, fix, { cause });
}
