// Owns what commands need of connections, so that none of them knows of sockets, certificates or tokens.
import type { PseudolabelError } from '../../src/errors.js';
import type { CoordinatorChannel } from '../../src/protocol/cluster-messages.js';
import type { NodeChannel } from '../executors/cluster/requests.js';

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
