// Describes where a run is computed: on the threads of this process, also on nodes that join it, or by the ranks of an
// MPI job.
import type { Collective } from '../src/collectives/collective.js';
import { PseudolabelError } from '../src/errors.js';
import { counted } from '../src/format.js';
import type { ClusterStatus } from '../src/protocol/status.js';
import type { ClusterListener } from './executors/cluster/status.js';
import type { ListeningServer } from './server/transport.js';

/** A run of a coordinator that nodes on other machines join. */
export interface ClusterPlace {
  readonly kind: 'cluster';
  /** Begins to listen. Throws the errors of listening. */
  open(): Promise<ListeningServer>;
  /** The number of nodes that the first step waits for. */
  readonly nodes: number;
  /** Milliseconds that a run waits for nodes when nobody computes it. */
  readonly patienceMs: number;
  /** If false, this machine only coordinates. */
  readonly computes: boolean;
  readonly allowMixed: boolean;
  /** Stops the wait for nodes. */
  readonly signal: AbortSignal;
  /** The command line that starts the run again. The error of a run that was stopped before its first step shows it. */
  readonly startAgain: string;
  /**
   * Returns the listener of the run's nodes. workers: returns the number of workers of all machines that have joined.
   */
  listener(workers: () => number): ClusterListener;
  /** Is called when nodes can join, before the run waits for them. */
  listening(server: ListeningServer): void;
  closing(status: ClusterStatus): void;
}

/** Where a run is computed. */
export type ExecutionPlace =
  | { readonly kind: 'threads' }
  | { readonly kind: 'mpi'; readonly collective: Collective; readonly allowMixed: boolean }
  | ClusterPlace;

/** Throws E_USAGE if there are fewer shards than machines or ranks. */
export function checkShards(shards: number, machines: number, of: 'nodes' | 'ranks'): void {
  if (shards >= machines) return;
  const all = of === 'nodes' ? 'machines' : 'ranks';
  const message = `${counted(shards, 'shard')} for ${machines} ${all}: not all would have something to do`;
  const fix = `give --shards ${machines} or more, one for each worker of all ${of}`;
  throw new PseudolabelError('E_USAGE', message, fix);
}
