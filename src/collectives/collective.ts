// What ranks do together: processes of one job, numbered from 0. Every rank makes the same calls in the same order;
// rank 0 is the coordinator. Memory that is passed to a call must not change until its promise is settled.

/** A part of this rank's memory, to go to another rank or to be filled by it. Not empty. */
export interface Piece {
  readonly rank: number;
  readonly bytes: Uint8Array;
}

export interface Collective {
  readonly rank: number;
  readonly size: number;
  /** Copies rank 0's bytes to all others, which pass memory of the same length. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /**
   * Sends and receives pieces. Between two ranks they arrive in the order in which they were sent; their lengths must
   * match.
   * @param sends may make pieces as they are asked for, while earlier ones travel
   */
  exchange(sends: Iterable<Piece>, receives: readonly Piece[]): Promise<void>;
  /** values[i] = the sum of values[i] over all ranks, in any order. */
  sum(values: Float32Array): Promise<void>;
  /** Every rank calls it at the end; may wait for the others. */
  close(): void;
}
