// Owns what commands need of connections, so that none of them knows of sockets, certificates or tokens.
import type { PseudolabelError } from '../../src/errors.js';
import type { CoordinatorChannel } from '../../worker/host.js';
import type { NodeChannel } from '../requests.js';

export interface ConnectionOptions {
  /** HOST:PORT. */
  readonly address: string;
  readonly tokenFile: string | undefined;
  /** Allows a connection beyond this machine without TLS. */
  readonly insecure: boolean;
}

/** Where nodes come in. */
export interface Door {
  /** What to type on another machine. */
  readonly joinLine: string;
  readonly arrivals: AsyncIterable<NodeChannel>;
  close(): void;
}

export interface Transport {
  listen(options: ConnectionOptions): Promise<Door>;
  connect(
    options: ConnectionOptions & {
      readonly fingerprint: string | undefined;
      /** How long to go on trying, in ms. */
      readonly patience: number;
      readonly signal: AbortSignal;
      readonly onRetry: (failure: PseudolabelError, delay: number) => void;
    },
  ): Promise<CoordinatorChannel>;
}
