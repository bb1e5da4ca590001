// The interface of a collective: what the ranks of a job, processes numbered from 0, do together. Every rank makes the
// same calls in the same order; rank 0 is the coordinator. Memory that is passed to a call must not change until its
// promise is settled.

/** A part of this rank's memory that is sent to another rank, or filled by it. It is not empty. */
export interface Piece {
  readonly rank: number;
  readonly bytes: Uint8Array;
}

export interface Collective {
  readonly rank: number;
  readonly size: number;
  /** Copies rank 0's bytes to all other ranks, which pass memory of the same length. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /**
   * Sends and receives pieces. Between two ranks they arrive in the order in which they were sent; their lengths must
   * match.
   * @param sends may make pieces as they are asked for, while earlier ones are being sent
   */
  exchange(sends: Iterable<Piece>, receives: readonly Piece[]): Promise<void>;
  /** values[i] = the sum of values[i] over all ranks, in any order. */
  sum(values: Float32Array): Promise<void>;
  /** Ends this rank's part. Every rank calls it at the end; it may wait for the others. */
  close(): void;
}
