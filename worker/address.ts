// Reads and writes addresses of coordinators, says which ones do not leave this machine, and sets what TLS must be.
import { BlockList, isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { PseudolabelError } from '../src/errors.js';

export interface Address {
  readonly tls: boolean;
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

const FORM = /^(?:(?<scheme>wss?):\/\/)?(?:\[(?<six>[\da-f:.]+)\]|(?<host>[^\s:/[\]]+)):(?<port>\d{1,5})\/?$/i;

/**
 * Reads an address. 'HOST:PORT' and 'wss://HOST:PORT' use TLS, 'ws://HOST:PORT' does not. An IPv6 address has brackets.
 * Throws E_USAGE.
 */
export function parseAddress(text: string): Address {
  const { scheme, six, host, port } = FORM.exec(text)?.groups ?? {};
  if (port === undefined || Number(port) > 65535) {
    throw new PseudolabelError(
      'E_USAGE',
      `'${text}' is not an address`,
      'give HOST:PORT, or ws://HOST:PORT without TLS',
    );
  }
  return { tls: scheme?.toLowerCase() !== 'ws', host: (six ?? host)!, port: Number(port) };
}

export function formatAddress({ tls, host, port }: Address): string {
  return `${tls ? 'wss' : 'ws'}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Returns whether only this machine reaches the address.
 * @param ip an IP address, not a name
 */
export function isLoopback(ip: string): boolean {
  return LOOPBACK.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4');
}

/** In older versions the binding is not always unique to a session (RFC 9266, section 4.2). */
export const TLS_OPTIONS = { minVersion: 'TLSv1.3' } as const;

/**
 * Returns a value that only the two ends of this TLS session know, so that nobody can relay a proof (RFC 9266,
 * tls-exporter).
 */
export function tlsBinding(socket: TLSSocket): Uint8Array {
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
}
