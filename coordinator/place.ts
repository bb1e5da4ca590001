// Where a run is computed: on the threads of this process, by nodes that join it as well, or by the ranks of an MPI job.
import type { Collective } from '../src/collectives/collective.js';
import { PseudolabelError } from '../src/errors.js';
import { counted } from '../src/format.js';
import type { ClusterStatus } from '../src/protocol/status.js';
import type { ClusterListener } from './executors/cluster/status.js';
import type { ListeningServer } from './server/transport.js';

/** A coordinator that nodes on other machines join. */
export interface ClusterPlace {
  readonly kind: 'cluster';
  /** Begins to listen. Throws what that throws. */
  open(): Promise<ListeningServer>;
  /** How many nodes the first step waits for. */
  readonly nodes: number;
  /** How long a run that nobody computes waits for nodes, in ms. */
  readonly patienceMs: number;
  /** false: this machine only coordinates. */
  readonly computes: boolean;
  readonly allowMixed: boolean;
  /** Stops the wait for nodes. */
  readonly signal: AbortSignal;
  /** The command line that starts the run again, for the error of one that was stopped before its first step. */
  readonly startAgain: string;
  /** workers: of all machines that are there. */
  listener(workers: () => number): ClusterListener;
  /** Called when nodes can join, before they are waited for. */
  listening(server: ListeningServer): void;
  closing(status: ClusterStatus): void;
}

/** Where a run is computed. */
export type Place =
  | { readonly kind: 'threads' }
  | { readonly kind: 'mpi'; readonly collective: Collective; readonly allowMixed: boolean }
  | ClusterPlace;

/** Throws E_USAGE where some machine or rank would have no shard. */
export function checkShards(shards: number, members: number, of: 'nodes' | 'ranks'): void {
  if (shards >= members) return;
  const message = `${counted(shards, 'shard')} for ${members} members: not all would have something to do`;
  const fix = `give --shards ${members} or more, one for each worker of all ${of}`;
  throw new PseudolabelError('E_USAGE', message, fix);
}
