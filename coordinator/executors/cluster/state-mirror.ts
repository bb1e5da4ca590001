// Owns what the coordinator knows of a node's arena: which bytes of it are the same as here. Everything else is sent before it is needed.
import { Intervals, type Range } from '../../../src/collectives/intervals.js';
import type { SentRegion } from '../../../src/protocol/cluster-messages.js';

export class StateMirror {
  private readonly alike = new Map<SentRegion, Intervals>();

  /** What of the bytes [start, end) of a region is other there, or unknown. */
  missing(region: SentRegion, start: number, end: number): Range[] {
    return this.of(region).missing(start, end);
  }

  /** The node has these bytes as they are here. */
  isAlike(region: SentRegion, start: number, end: number): void {
    this.of(region).add(start, end);
  }

  /** They have changed here, and not there. */
  hasChanged(region: SentRegion, start: number, end: number): void {
    this.of(region).remove(start, end);
  }

  private of(region: SentRegion): Intervals {
    let intervals = this.alike.get(region);
    if (!intervals) {
      intervals = new Intervals();
      this.alike.set(region, intervals);
    }
    return intervals;
  }
}
