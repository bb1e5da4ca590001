// The transport of commands: listening for nodes and connecting to a coordinator, so that no command knows of sockets, certificates or tokens.

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
  /** undefined: this user's own, made where there is none. */
  readonly tokenFile: string | undefined;
  /** Without TLS, beyond this machine too. */
  readonly insecure: boolean;
  /** PEM files of the user's own certificate and its key; undefined: one that is made on first use. */
  readonly certificate: { readonly file: string; readonly key: string } | undefined;
}

export interface ConnectOptions {
  /** HOST:PORT, or ws://HOST:PORT where the coordinator has no TLS. */
  readonly address: string;
  readonly tokenFile: string;
  readonly fingerprint: string | undefined;
  /** Allows a connection beyond this machine without TLS. */
  readonly insecure: boolean;
  /** How long to go on trying, in ms. */
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly onRetry: (failure: PseudolabelError, delay: number) => void;
}

/** Where nodes come in. */
export interface ListeningServer {
  /** Arguments of `pseudolabel worker` and `pseudolabel status` on a machine that has the token file too. */
  readonly joinWith: readonly string[];
  /** What nodes connect to, as parseAddress() reads it. */
  readonly address: string;
  /** SHA-256 of its certificate; undefined without TLS. */
  readonly fingerprint: string | undefined;
  readonly tokenFile: string;
  /** The address that it listens on, where none but this machine reaches that. */
  readonly loopback: string | undefined;
  readonly arrivals: AsyncIterable<NodeChannel>;
  close(): void;
}

export interface Transport {
  /** Throws E_USAGE, E_SECRET_FILE, E_INSECURE, E_LISTEN. */
  listen(options: ListenOptions): Promise<ListeningServer>;
  /** Throws what worker/connect.ts throws. */
  connect(options: ConnectOptions): Promise<CoordinatorChannel>;
}

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
