// Owns how commands reach other machines: tokens and certificates from files, a listener, and connections, as one Transport.
import { join } from 'node:path';
import {
  FIRST_TO_COORDINATOR,
  FIRST_TO_NODE,
  TO_COORDINATOR,
  TO_NODE,
  type ToCoordinator,
  type ToNode,
} from '../../src/protocol/cluster-messages.js';
import { parseAddress } from '../../worker/address.js';
import { connect } from '../../worker/connect.js';
import { ensureCertificate, readCertificate } from './certificate.js';
import { ensureToken, readToken, stateDirectory } from './secrets.js';
import { listen } from './server.js';
import type { ConnectOptions, ListeningServer, ListenOptions, Transport } from './transport.js';

export const SERVER_TRANSPORT: Transport = { listen: openServer, connect: reach };

async function openServer({ address, tokenFile, insecure, certificate }: ListenOptions): Promise<ListeningServer> {
  const { host, port, tls } = parseAddress(address);
  const file = tokenFile ?? join(stateDirectory(), 'token');
  const isPlain = insecure || !tls;
  const listener = await listen<ToNode, ToCoordinator>({
    ...{ host, port, insecure },
    token: await ensureToken(file),
    ...(isPlain ? {} : { tls: await identityOf(certificate) }),
    tables: { outgoing: TO_NODE, incoming: TO_COORDINATOR, first: FIRST_TO_COORDINATOR },
  });
  const { loopback, arrivals } = listener;
  return { joinWith: listener.joinWith(file), loopback, arrivals, close: () => listener.close() };
}

const identityOf = (certificate: ListenOptions['certificate']) =>
  certificate
    ? readCertificate(certificate.file, certificate.key)
    : ensureCertificate(join(stateDirectory(), 'coordinator.pem'));

async function reach({ tokenFile, fingerprint, ...options }: ConnectOptions) {
  return connect<ToCoordinator, ToNode>({
    ...options,
    ...(fingerprint === undefined ? {} : { fingerprint }),
    token: await readToken(tokenFile),
    tables: { outgoing: TO_COORDINATOR, incoming: TO_NODE, first: FIRST_TO_NODE },
  });
}
