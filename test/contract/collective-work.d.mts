import type { Collective } from '../../src/collectives/collective.js';

type Value = number | 'mixed' | undefined;

export interface Found {
  readonly rank: number;
  readonly size: number;
  /** Values that all elements of an array had. */
  readonly told: readonly Value[];
  readonly exchanged: readonly (readonly [from: number, length: number, value: Value])[];
  readonly gathered: readonly Value[];
  readonly sums: readonly Value[];
}

export function work(collective: Collective): Promise<Found>;
