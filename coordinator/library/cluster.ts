// Trains on several machines from a program: offers a coordinator that nodes join to compute its runs, and a node that
// joins one.
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

/** Where a coordinator listens, and how nodes identify it. */
export interface CoordinatorOptions {
  /**
   * HOST:PORT, or ws://HOST:PORT without TLS. Defaults to any free port of this machine, which other machines do not
   * reach.
   */
  readonly address?: string | undefined;
  /** The file of the token that nodes have to know. Defaults to the user's own, which is made if there is none. */
  readonly tokenFile?: string | undefined;
  /** Allows connections from other machines without TLS. */
  readonly insecure?: boolean | undefined;
  /** PEM files. If left out, a certificate is made on first use. */
  readonly certificate?: { readonly file: string; readonly key: string } | undefined;
}

/**
 * A coordinator that nodes can join until it is closed. It computes the runs of `train({ coordinator })` one after
 * another. Nodes that come between two runs wait.
 */
export interface Coordinator {
  /** The address that nodes connect to. */
  readonly address: string;
  /** The SHA-256 of its certificate, in hexadecimal digits; undefined without TLS. */
  readonly fingerprint: string | undefined;
  /** The file of the token. Nodes on other machines need a copy of it. */
  readonly tokenFile: string;
  /** The arguments of `pseudolabel worker` by which a node joins. */
  readonly joinWith: readonly string[];
  close(): void;
}

/** How a run uses a coordinator's nodes. */
export interface NodeOptions {
  /** The number of nodes that the first step waits for. Defaults to 0. */
  readonly nodes?: number | undefined;
  /** Seconds to wait for nodes, also when all have gone. Defaults to 300. */
  readonly nodesTimeout?: number | undefined;
  /** If false, this process only coordinates. */
  readonly local?: boolean | undefined;
  /** If true, nodes that compute other bits may join. The weights then depend on which machine computed what. */
  readonly allowMixed?: boolean | undefined;
}

/** What happens to the nodes of a run. If a node is lost or behind, others do its work. */
export type NodeEvent =
  | { readonly kind: 'joined'; readonly node: string; readonly workers: number }
  | { readonly kind: 'left' | 'behind' | 'refused'; readonly node: string; readonly reason: PseudolabelError }
  | { readonly kind: 'caughtUp'; readonly node: string }
  /** The run waits for nodes, before the first step or when all have gone. This is said again every few seconds. */
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

/**
 * Makes the place of a run that a coordinator's nodes compute. Throws E_CONFIG, and E_USAGE if some node would have no
 * shard.
 */
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
    kind: 'cluster',
    nodes,
    computes: local,
    patienceMs: nodesTimeout * 1000,
    allowMixed,
    signal,
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
  /** A copy of the coordinator's token file. */
  readonly tokenFile: string;
  /** The SHA-256 of the coordinator's certificate. If left out, only the token proves the coordinator's identity. */
  readonly fingerprint?: string | undefined;
  /** Allows a connection to another machine without TLS. */
  readonly insecure?: boolean | undefined;
  /** The number of threads. Defaults to one for each core. */
  readonly workers?: number | undefined;
  /** The node's name at the coordinator. Defaults to the name of the machine. */
  readonly name?: string | undefined;
  /** Seconds for which the node tries to connect. Defaults to 300. */
  readonly patience?: number | undefined;
  /** When it aborts, the node finishes what it is doing, and leaves. */
  readonly signal?: AbortSignal | undefined;
}

/** What happens to a node's connection. */
export type JoinEvent =
  | { readonly kind: 'joined'; readonly coordinator: string }
  /** The connection was lost. The node joins again. */
  | { readonly kind: 'lost'; readonly reason: PseudolabelError }
  /** The node could not connect. It tries again. */
  | { readonly kind: 'retry'; readonly reason: PseudolabelError; readonly secondsLeft: number };

/**
 * A node that computes in the background until the run is over (`finished`), or until it has left because of its signal
 * (`left`).
 */
export type JoinedNode = Observed<JoinEvent | Missed, 'finished' | 'left'>;

const PATIENCE_S = 300;

/**
 * Joins the run of a coordinator as a node, which needs no data. It joins again if the connection is lost. A process
 * trains one run or is one node at a time.
 * @param address the coordinator's: HOST:PORT, or ws://HOST:PORT if it has no TLS
 * @throws PseudolabelError by its result: E_CONFIG, E_USAGE, E_SECRET_FILE, E_INSECURE, E_FINGERPRINT, E_TOKEN,
 * E_VERSION, E_NUMERICS, E_NATIVE; when its patience ends E_UNREACHABLE, E_CONNECTION_LOST, E_TIMEOUT, E_BUSY or
 * E_CLOSED
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

/** The options of a node, checked. Its signal may keep listeners. */
interface NodeJoin extends JoinOptions {
  readonly workers: number;
  readonly patience: number;
  readonly signal: AbortSignal;
}

/** Joins a run. Programs and commands both use this function. */
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
