// Owns the shape of what `scaling` leaves behind: scaling.json, which has every measured block besides what they come to.

import type { Unit } from '../../src/reporting/scaling-charts.js';
import type { Network, Prediction } from '../../src/scaling/simulate.js';
import type { Mode, PhaseSummary } from '../../src/scaling/summary.js';
import type { Measurement } from './measure.js';
import type { WorkloadOptions } from './workload.js';

export interface Machine {
  readonly processor: string;
  /** What this process may use. */
  readonly cores: number;
  /** Of the last minute, before anything was measured. */
  readonly load: number;
  readonly node: string;
}

export interface PhaseReport extends Measurement, PhaseSummary {
  readonly prediction: readonly Prediction[] | undefined;
}

export interface ScalingReport {
  readonly mode: Mode;
  /** What there are more and more of. */
  readonly unit: Unit;
  readonly machine: Machine;
  readonly workload: WorkloadOptions;
  readonly network: Network | undefined;
  readonly phases: readonly PhaseReport[];
}
