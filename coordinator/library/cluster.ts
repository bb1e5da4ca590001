// Several machines for a program: a coordinator that nodes join, whose runs they compute, and a node that joins one.
import { availableParallelism, hostname } from 'node:os';
import { PseudolabelError } from '../../src/errors.js';
import { joinRun } from '../../worker/node-host.js';
import type { ClusterListener } from '../executors/cluster/status.js';
import { type ClusterPlace, checkShards } from '../place.js';
import type { ResolvedRun } from '../runs/resolved-run.js';
import { type ListeningServer, SERVER_TRANSPORT, type Transport } from '../server/transport.js';
import { WaitingRoom } from '../server/waiting-room.js';
import { checkEnvironment } from './environment.js';
import { type Missed, type Observed, observed } from './events.js';

/** Where a coordinator listens, and what nodes know it by. */
export interface CoordinatorOptions {
  /** HOST:PORT, or ws://HOST:PORT without TLS. Left out: any free port of this machine, which others do not reach. */
  readonly address?: string | undefined;
  /** The file of the token that nodes have to know. Left out: this user's own, which is made where there is none. */
  readonly tokenFile?: string | undefined;
  /** Without TLS, beyond this machine too. */
  readonly insecure?: boolean | undefined;
  /** PEM files. Left out: a certificate that is made on first use. */
  readonly certificate?: { readonly file: string; readonly key: string } | undefined;
}

/** Where nodes join, until it is closed. Its runs are those of `train({ coordinator })`, one after another; nodes that come between two wait. */
export interface Coordinator {
  /** What nodes connect to. */
  readonly address: string;
  /** SHA-256 of its certificate, in hexadecimal digits; undefined without TLS. */
  readonly fingerprint: string | undefined;
  /** Nodes on other machines need a copy of it. */
  readonly tokenFile: string;
  /** The arguments of `pseudolabel worker` by which a node joins. */
  readonly joinWith: readonly string[];
  close(): void;
}

/** The runs over a coordinator's nodes. */
export interface NodeOptions {
  /** Nodes that the first step waits for. Left out: 0. */
  readonly nodes?: number | undefined;
  /** Seconds to wait for nodes, also where all are gone. Left out: 300. */
  readonly nodesTimeout?: number | undefined;
  /** false: this process only coordinates. */
  readonly local?: boolean | undefined;
  /** Nodes that compute other bits may join: the weights then depend on who computed what. */
  readonly allowMixed?: boolean | undefined;
}

/** What becomes of the nodes of a run. Where one is lost or behind, others do its work. */
export type NodeEvent =
  | { readonly kind: 'joined'; readonly node: string; readonly workers: number }
  | { readonly kind: 'left' | 'behind' | 'refused'; readonly node: string; readonly reason: PseudolabelError }
  | { readonly kind: 'caughtUp'; readonly node: string }
  /** Nodes are waited for, before the first step or where all are gone; said again every few seconds. */
  | { readonly kind: 'waiting'; readonly there: number; readonly wanted: number; readonly secondsLeft: number }
  /** Nodes make the run slower: why, and what to do. */
  | { readonly kind: 'slower'; readonly message: string };

/**
 * Listens for nodes. They join with `joinAsNode` or `pseudolabel worker` on machines that have the token file.
 * @throws PseudolabelError E_USAGE, E_SECRET_FILE, E_INSECURE, E_LISTEN, E_OUTPUT
 */
export async function listen(options: CoordinatorOptions = {}): Promise<Coordinator> {
  const { address = '127.0.0.1:0', tokenFile, insecure = false, certificate } = options;
  const server: ListeningServer = await SERVER_TRANSPORT.listen({ address, tokenFile, insecure, certificate });
  return new OpenCoordinator(server);
}

class OpenCoordinator implements Coordinator {
  readonly address: string;
  readonly fingerprint: string | undefined;
  readonly tokenFile: string;
  readonly joinWith: readonly string[];
  readonly room: WaitingRoom;

  constructor(server: ListeningServer) {
    const { address, fingerprint, tokenFile, joinWith } = server;
    this.address = address;
    this.fingerprint = fingerprint;
    this.tokenFile = tokenFile;
    this.joinWith = joinWith;
    this.room = new WaitingRoom(server);
  }

  close(): void {
    this.room.close();
  }
}

const NODES_TIMEOUT_S = 300;

/** A run over the nodes of a coordinator. Throws E_CONFIG, and E_USAGE where some would have no shard. */
export function placeAt(
  coordinator: Coordinator,
  { nodes = 0, nodesTimeout = NODES_TIMEOUT_S, local = true, allowMixed = false }: NodeOptions,
  { config }: ResolvedRun,
  signal: AbortSignal,
  tell: (event: NodeEvent) => void,
): ClusterPlace {
  if (!(coordinator instanceof OpenCoordinator))
    throw wrong('coordinator', 'is none of listen()', 'give what `await listen()` gave');
  if (!Number.isSafeInteger(nodes) || nodes < 0) throw wrong('nodes', `${nodes}`, 'give a number of nodes, from 0');
  if (!(nodesTimeout > 0)) throw wrong('nodesTimeout', `${nodesTimeout}`, 'give seconds, above 0');
  checkShards(config.shards, nodes + Number(local), 'nodes');
  return {
    ...{ kind: 'cluster', nodes, computes: local, patienceMs: nodesTimeout * 1000, allowMixed, signal },
    startAgain: 'train()',
    open: async () => coordinator.room.enter(),
    listener: () => listenerOf(tell),
    listening: () => undefined,
    closing: () => undefined,
  };
}

const wrong = (option: string, problem: string, fix: string): PseudolabelError =>
  new PseudolabelError('E_CONFIG', `${option}: ${problem}`, fix);

function listenerOf(tell: (event: NodeEvent) => void): ClusterListener {
  const waiting = (there: number, wanted: number, left: number): void =>
    tell({ kind: 'waiting', there, wanted, secondsLeft: left / 1000 });
  return {
    joined: ({ name, workers }) => tell({ kind: 'joined', node: name, workers }),
    left: ({ name }, reason) => tell({ kind: 'left', node: name, reason }),
    fellBehind: ({ name }, reason) => tell({ kind: 'behind', node: name, reason }),
    caughtUp: ({ name }) => tell({ kind: 'caughtUp', node: name }),
    refused: (name, reason) => tell({ kind: 'refused', node: name, reason }),
    gathering: waiting,
    waiting: (left) => waiting(0, 1, left),
    slower: (message) => tell({ kind: 'slower', message }),
  };
}

/** How a node finds its coordinator, and computes. */
export interface JoinOptions {
  /** A copy of the coordinator's. */
  readonly tokenFile: string;
  /** SHA-256 of the coordinator's certificate. Left out: only the token proves who answers. */
  readonly fingerprint?: string | undefined;
  /** Allows a connection beyond this machine without TLS. */
  readonly insecure?: boolean | undefined;
  /** Threads. Left out: one a core. */
  readonly workers?: number | undefined;
  /** What the coordinator calls it. Left out: the name of the machine. */
  readonly name?: string | undefined;
  /** Seconds to go on trying to connect. Left out: 300. */
  readonly patience?: number | undefined;
  /** The node finishes what it is doing, and leaves. */
  readonly signal?: AbortSignal | undefined;
}

/** What becomes of a node's connection. */
export type JoinEvent =
  | { readonly kind: 'joined'; readonly coordinator: string }
  /** The connection was lost: it joins again. */
  | { readonly kind: 'lost'; readonly reason: PseudolabelError }
  /** It could not connect: it tries again. */
  | { readonly kind: 'retry'; readonly reason: PseudolabelError; readonly secondsLeft: number };

/** A node that computes by itself until the run is over (`finished`), or the signal has let it go (`left`). */
export type JoinedNode = Observed<JoinEvent | Missed, 'finished' | 'left'>;

const PATIENCE_S = 300;

/**
 * Joins the run of a coordinator as a node, which needs no data. It joins again where the connection is lost. A process trains one run or is one node at
 * a time.
 * @param address of the coordinator: HOST:PORT, or ws://HOST:PORT where it has no TLS
 * @throws PseudolabelError by its result: E_CONFIG, E_USAGE, E_SECRET_FILE, E_INSECURE, E_FINGERPRINT, E_TOKEN, E_VERSION, E_NUMERICS, E_NATIVE; when its
 * patience ends E_UNREACHABLE, E_CONNECTION_LOST, E_TIMEOUT, E_BUSY or E_CLOSED
 */
export function joinAsNode(address: string, options: JoinOptions): JoinedNode {
  return observed<JoinEvent, 'finished' | 'left'>(async (tell) => {
    checkEnvironment();
    const { workers = availableParallelism(), patience = PATIENCE_S, signal: given } = options;
    if (!Number.isSafeInteger(workers) || workers < 1) throw wrong('workers', `${workers}`, 'give a number from 1');
    if (!(patience >= 0)) throw wrong('patience', `${patience}`, 'give seconds, from 0');
    const stop = new AbortController();
    const leave = (): void => stop.abort(given?.reason);
    if (given?.aborted) return 'left';
    given?.addEventListener('abort', leave, { once: true });
    try {
      return await joinBy(SERVER_TRANSPORT, address, { ...options, workers, patience, signal: stop.signal }, tell);
    } finally {
      given?.removeEventListener('abort', leave);
    }
  });
}

/** The options of a node that are checked. Its signal may keep listeners. */
interface NodeJoin extends JoinOptions {
  readonly workers: number;
  readonly patience: number;
  readonly signal: AbortSignal;
}

/** The way into a run of whoever joins one, a program or a command. */
export function joinBy(
  transport: Transport,
  address: string,
  { tokenFile, fingerprint, insecure = false, workers, name = hostname() || 'node', patience, signal }: NodeJoin,
  tell: (event: JoinEvent) => void,
): Promise<'finished' | 'left'> {
  const onRetry = (reason: PseudolabelError, delay: number): void =>
    tell({ kind: 'retry', reason, secondsLeft: delay / 1000 });
  const how = { address, tokenFile, fingerprint, insecure, patience: patience * 1000, signal, onRetry };
  return joinRun(
    () => transport.connect(how),
    { name, workers, signal },
    {
      joined: (coordinator) => tell({ kind: 'joined', coordinator }),
      lost: (reason) => tell({ kind: 'lost', reason }),
    },
  );
}
