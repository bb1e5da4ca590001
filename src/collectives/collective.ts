// Owns what ranks can do together: processes that were started as one job and number themselves from 0. Every rank calls the same things
// in the same order; rank 0 is the coordinator. Memory that is passed here must stay as it is until the promise is settled.

/** A part of this rank's memory, to go to another rank or to be filled by it. Not empty. */
export interface Piece {
  readonly rank: number;
  readonly bytes: Uint8Array;
}

export interface Collective {
  readonly rank: number;
  readonly size: number;
  /** Rank 0's bytes to all others, which give room for as many. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /**
   * Sends and receives pieces. Between two ranks they arrive in the order in which they were sent, and their lengths have to fit.
   * @param sends may be made as they are asked for: what is there already is on its way meanwhile
   */
  exchange(sends: Iterable<Piece>, receives: readonly Piece[]): Promise<void>;
  /** values[i] = the sum of values[i] over all ranks, added up in any order. */
  sum(values: Float32Array): Promise<void>;
  /** To be called by every rank when all has been done; may wait for the others. */
  close(): void;
}
