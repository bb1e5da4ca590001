// Owns how a worker comes to a channel with its coordinator, and how long and how often it tries.
import type { KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../src/clock.js';
import { PseudolabelError } from '../src/errors.js';
import type { Channel, Message } from '../src/protocol/channel.js';
import { longestFrame, type MessageTables } from '../src/protocol/codec.js';
import { FramedChannel } from '../src/protocol/framed-channel.js';
import { introduce, type Terms } from '../src/protocol/handshake.js';
import { parseAddress } from './address.js';
import { type Dialled, dial } from './dial.js';

export interface ConnectOptions<Out extends Message, In extends Message> {
  /** As parseAddress() reads it. */
  readonly address: string;
  readonly token: KeyObject;
  /** SHA-256 of the coordinator's certificate, in hexadecimal digits. */
  readonly fingerprint?: string;
  /** Allows an address beyond this machine without TLS. Default: false. */
  readonly insecure?: boolean;
  readonly tables: MessageTables<Out, In>;
  /** How long to go on trying, in ms. Default: 0, one attempt. */
  readonly patience?: number;
  /** By which heartbeats are told. Default: the system's. */
  readonly clock?: Clock;
  /** Ends the trying; connect() then rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Told of each failure after which there will be another attempt, `delay` ms later. */
  readonly onRetry?: (failure: PseudolabelError, delay: number) => void;
}

/** For all of an attempt: TCP, TLS, WebSocket and handshake, in ms. */
const ATTEMPT_MS = 10_000;

/** The first pause is up to so many ms long, each later one up to twice as long, and none longer than the last number. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/** What may be otherwise at the next attempt. A wrong token, version or certificate will not. */
const PASSING = new Set(['E_UNREACHABLE', 'E_CONNECTION_LOST', 'E_TIMEOUT', 'E_BUSY', 'E_CLOSED']);

/**
 * A channel with a coordinator that knows the token, and knows that this worker does.
 * Throws E_UNREACHABLE, E_CONNECTION_LOST, E_TIMEOUT, E_BUSY or E_CLOSED when patience is at its end; at once E_USAGE, E_INSECURE,
 * E_FINGERPRINT, E_TOKEN, E_VERSION, E_PROTOCOL, E_TOO_LARGE.
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
      // Any length up to the longest: workers that lost one coordinator together should not all come back together.
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
