// Gives commands their transport: listening for nodes and connecting to a coordinator. So no command deals with
// sockets, certificates or tokens.

import { join } from 'node:path';
import type { PseudolabelError } from '../../src/errors.js';
import {
  type CoordinatorChannel,
  FIRST_TO_COORDINATOR,
  FIRST_TO_NODE,
  TO_COORDINATOR,
  TO_NODE,
  type ToCoordinator,
  type ToNode,
} from '../../src/protocol/cluster-messages.js';
import { parseAddress } from '../../worker/address.js';
import { connect } from '../../worker/connect.js';
import type { NodeChannel } from '../executors/cluster/requests.js';
import { ensureCertificate, ensureToken, readCertificate, readToken, stateDirectory } from './secrets.js';
import { listen } from './server.js';

export interface ListenOptions {
  /** HOST:PORT. */
  readonly address: string;
  /** Defaults to the user's own token file, which is made if there is none. */
  readonly tokenFile: string | undefined;
  /** Allows connections from other machines without TLS. */
  readonly insecure: boolean;
  /** PEM files of the user's own certificate and its key. If undefined, a certificate is made on first use. */
  readonly certificate: { readonly file: string; readonly key: string } | undefined;
}

export interface ConnectOptions {
  /** HOST:PORT, or ws://HOST:PORT if the coordinator has no TLS. */
  readonly address: string;
  readonly tokenFile: string;
  readonly fingerprint: string | undefined;
  /** Allows a connection to another machine without TLS. */
  readonly insecure: boolean;
  /** Milliseconds for which it tries to connect. */
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly onRetry: (failure: PseudolabelError, delay: number) => void;
}

/** A server that nodes connect to. */
export interface ListeningServer {
  /** The arguments of `pseudolabel worker` and `pseudolabel status` on a machine that has the token file too. */
  readonly joinWith: readonly string[];
  /** The address that nodes connect to, in the form of parseAddress(). */
  readonly address: string;
  /** The SHA-256 of its certificate; undefined without TLS. */
  readonly fingerprint: string | undefined;
  readonly tokenFile: string;
  /** The address that it listens on, if only this machine reaches that. */
  readonly loopback: string | undefined;
  readonly arrivals: AsyncIterable<NodeChannel>;
  close(): void;
}

export interface Transport {
  /** Throws E_USAGE, E_SECRET_FILE, E_INSECURE, E_LISTEN. */
  listen(options: ListenOptions): Promise<ListeningServer>;
  /** Throws the errors of worker/connect.ts. */
  connect(options: ConnectOptions): Promise<CoordinatorChannel>;
}

export const SERVER_TRANSPORT: Transport = { listen: openServer, connect: reach };

async function openServer({ address, tokenFile, insecure, certificate }: ListenOptions): Promise<ListeningServer> {
  const { host, port, tls } = parseAddress(address);
  const file = tokenFile ?? join(stateDirectory(), 'token');
  const isPlain = insecure || !tls;
  const listener = await listen<ToNode, ToCoordinator>({
    host,
    port,
    insecure,
    token: await ensureToken(file),
    ...(isPlain ? {} : { tls: await identityOf(certificate) }),
    tables: { outgoing: TO_NODE, incoming: TO_COORDINATOR, first: FIRST_TO_COORDINATOR },
  });
  const { address: reached, fingerprint, loopback, arrivals } = listener;
  const joinWith = listener.joinWith(file);
  return {
    address: reached,
    fingerprint,
    tokenFile: file,
    joinWith,
    loopback,
    arrivals,
    close: () => listener.close(),
  };
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
