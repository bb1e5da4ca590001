// Owns what both sides must do alike in TLS: its version, and the value that ties a proof to one session.
import type { TLSSocket } from 'node:tls';

/** Older versions have no binding that is unique to a session in every case (RFC 9266, section 4.2). */
export const TLS_OPTIONS = { minVersion: 'TLSv1.3' } as const;

/** Known to the two ends of this session only: to relay a proof, one would have to be one of them. RFC 9266, tls-exporter. */
export function tlsBinding(socket: TLSSocket): Uint8Array {
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
}
