// Owns a collective that is watched: all goes through as it is, and the journal has what the main thread did and waited for.
import { clock } from '../../src/clock.js';
import type { Collective, Piece } from '../../src/collectives/collective.js';
import type { Activity } from '../../src/engine/timeline.js';
import type { ActivityRecord } from './activity-record.js';

export class TracedCollective implements Collective {
  readonly rank: number;
  readonly size: number;
  /** By this rank, so far. Those of a sum are as many as in a ring. */
  sentBytes = 0;
  /** When the last of what ranks do together was over. */
  private last = clock();

  constructor(
    private readonly collective: Collective,
    private readonly record: ActivityRecord,
  ) {
    this.rank = collective.rank;
    this.size = collective.size;
  }

  broadcast(bytes: Uint8Array): Promise<void> {
    if (this.rank > 0) return this.noting('wait', () => this.collective.broadcast(bytes));
    this.sentBytes += bytes.length * (this.size - 1);
    return this.noting('send', () => this.collective.broadcast(bytes));
  }

  /** What is sent and received at once is over when it has been received. */
  exchange(sends: Iterable<Piece>, receives: readonly Piece[]): Promise<void> {
    const kind = receives.length > 0 ? 'wait' : 'send';
    return this.noting(kind, () => this.collective.exchange(this.made(sends), receives));
  }

  /** Only gradients are summed: what was done right before it adds up this rank's. */
  sum(values: Float32Array): Promise<void> {
    this.record.note('update', this.last, clock());
    this.sentBytes += Math.round((values.byteLength * 2 * (this.size - 1)) / this.size);
    return this.noting('wait', () => this.collective.sum(values));
  }

  close(): void {
    this.collective.close();
  }

  /** Pieces of a sum are added up when they are asked for. */
  private *made(sends: Iterable<Piece>): Generator<Piece> {
    let began = clock();
    for (const piece of sends) {
      this.record.note('update', began, clock());
      this.sentBytes += piece.bytes.length;
      yield piece;
      began = clock();
    }
    this.record.note('update', began, clock());
  }

  private async noting(kind: Activity['kind'], act: () => Promise<void>): Promise<void> {
    const began = clock();
    try {
      await act();
    } finally {
      this.last = clock();
      this.record.note(kind, began, this.last);
    }
  }
}
