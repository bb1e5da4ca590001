// Owns how long to wait for a node: what the same kind of work took it before, and a margin; and the error of who waited longer.
import { type Clock, SYSTEM_CLOCK } from '../../../src/clock.js';
import { PseudolabelError } from '../../../src/errors.js';
import { stallTimer } from './stall-timer.js';

/** Milliseconds: no wait is shorter than `least`, since machines pause, nor longer than `most`. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
}

export const BOUNDS: Bounds = { least: 3_000, most: 60_000 };

/** Times remembered of each kind of work: the last minutes say more than the whole run. */
const REMEMBERED = 32;
/** Before so many times are known, `most` it is: a first step builds its networks. */
const KNOWN = 4;
/** Deviations beyond the median. Times of a healthy machine have long tails, and recomputing for nothing costs a step. */
const MARGIN = 8;
/** The standard deviation of a normal distribution, in median absolute deviations. */
const DEVIATION = 1.4826;

export class Deadlines {
  private readonly times = new Map<string, number[]>();

  constructor(
    private readonly bounds: Bounds = BOUNDS,
    readonly clock: Clock = SYSTEM_CLOCK,
  ) {}

  /** Calls `ring` when so many units of this kind of work have taken too long. Returns what cancels that. */
  stallTimer(kind: string, units: number, ring: () => void): () => void {
    return stallTimer(this.clock, this.limit(kind, units), ring);
  }

  /** kind: of work; times of one kind say nothing of another. units: of work done, as rows or bytes, at least 1. */
  record(kind: string, units: number, milliseconds: number): void {
    const times = [...(this.times.get(kind) ?? []), milliseconds / Math.max(1, units)];
    this.times.set(kind, times.slice(-REMEMBERED));
  }

  /** Milliseconds that a unit of this kind of work takes in the middle; undefined before the first. */
  typical(kind: string): number | undefined {
    const times = this.times.get(kind);
    return times && median(times);
  }

  /** Milliseconds to wait for so many units of work. */
  limit(kind: string, units: number): number {
    const { least, most } = this.bounds;
    const times = this.times.get(kind) ?? [];
    if (times.length < KNOWN) return most;
    const narrowLayers = median(times);
    const deviation = DEVIATION * median(times.map((time) => Math.abs(time - narrowLayers)));
    return Math.min(most, Math.max(least, Math.max(1, units) * (narrowLayers + MARGIN * deviation)));
  }
}

export function late(name: string, what: string): PseudolabelError {
  const fix = 'it may be overloaded, suspended, or behind a slow network';
  return new PseudolabelError('E_TIMEOUT', `${name} did not ${what} in time`, fix);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const narrowLayers = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[narrowLayers]! : (sorted[narrowLayers - 1]! + sorted[narrowLayers]!) / 2;
}
