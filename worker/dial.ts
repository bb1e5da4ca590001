// Owns one attempt to reach a coordinator: TCP, TLS with a pinned certificate, WebSocket. Nothing is sent to a wrong certificate.
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { Clock } from '../src/clock.js';
import { PseudolabelError } from '../src/errors.js';
import { type Address, formatAddress, isLoopback } from './address.js';
import { TLS_OPTIONS, tlsBinding } from './tls.js';
import { SOCKET_OPTIONS, WebSocketTransport } from './websocket-transport.js';

export interface DialOptions {
  readonly address: Address;
  /** SHA-256 of the coordinator's certificate, 64 hexadecimal digits. Without it, the handshake's proof alone tells who is there. */
  readonly fingerprint: string | undefined;
  /** Allows an address beyond this machine without TLS. */
  readonly insecure: boolean;
  /** Bytes of the longest frame to receive. */
  readonly longest: number;
  /** By which the heartbeat is told; undefined: the system's. */
  readonly clock: Clock | undefined;
}

export interface Dialled {
  readonly transport: WebSocketTransport;
  readonly binding: Uint8Array;
}

/** Throws E_UNREACHABLE, E_FINGERPRINT or E_INSECURE; E_TIMEOUT when `signal` says so. */
export async function dial(
  { address, fingerprint, insecure, longest, clock }: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const wire = connectTcp({ host: address.host, port: address.port, noDelay: true });
  wire.on('error', () => undefined); // each is met where it is waited for
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
  // Not by a public authority: the certificate is pinned, and the proof of the handshake is over this TLS session.
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
    // A mask keeps what a browser's page chose to send from looking like a request to an old proxy. Here no page chooses, TLS hides
    // every byte from proxies, and loopback has none; a mask of zeros saves reading and writing 16 MB a step once more.
    generateMask: (mask) => mask.fill(0),
  });
  ws.on('error', () => undefined);
  await once(ws, 'open', { signal });
  return ws;
}

/** Digits, with or without colons or the name of the hash before them. */
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
