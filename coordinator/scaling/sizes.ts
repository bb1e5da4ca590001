// Owns what a measurement compares, from the flags of its command: numbers of workers, of nodes or of ranks.
import { availableParallelism } from 'node:os';
import { PseudolabelError } from '../../src/errors.js';
import { counted } from '../../src/format.js';
import type { Unit } from '../../src/reporting/scaling-charts.js';
import type { STRATEGIES } from '../../src/training/config.js';
import type { MeasurementOptions } from './measure.js';

export interface SizeFlags {
  /** undefined: one and one a core; with nodes or ranks, one. */
  readonly workers?: readonly number[];
  readonly nodes?: readonly number[];
  readonly ranks?: readonly number[];
  readonly hostfile?: string;
  readonly fastSum?: true;
  readonly strategy?: (typeof STRATEGIES)[number];
}

/** What is compared, as measure() has it. */
export type Sizes = Pick<MeasurementOptions, 'workers' | 'processes'>;

/** Throws E_USAGE. */
export function sizesOf({ workers, nodes, ranks, hostfile, fastSum, strategy }: SizeFlags): Sizes {
  const usage = (message: string, fix: string) => new PseudolabelError('E_USAGE', message, fix);
  if (nodes && ranks) throw usage('--nodes with --ranks', 'measure one after the other');
  if (fastSum && strategy === 'tensor')
    throw usage('--fast-sum with --strategy tensor', 'leave it out: tensor-parallel steps sum no gradients');
  const by = nodes ? 'nodes' : 'ranks';
  const counts = nodes?.map((joining) => joining + 1) ?? ranks;
  // One worker or process is always among them: it is what the others are compared with.
  if (!counts) return { workers: ascending([1, ...(workers ?? [availableParallelism()])]), processes: undefined };
  if (workers !== undefined && workers.length > 1) {
    const fix = `with --${by}, give one number: the workers of each process`;
    throw usage(`--workers ${workers.join(',')} with --${by}`, fix);
  }
  return { workers: workers ?? [1], processes: { by, counts: ascending([1, ...counts]), hostfile } };
}

/** Workers in all, for each that is compared. */
export const totals = ({ workers, processes }: Sizes): readonly number[] =>
  processes ? processes.counts.map((count) => count * workers[0]!) : workers;

export function unitOf({ processes }: Sizes): Unit {
  if (!processes) return 'workers';
  return processes.by === 'ranks' ? 'ranks' : 'processes';
}

export function whoIsCompared({ workers, processes }: Sizes): string {
  if (!processes) return `${workers.join(', ')} workers`;
  const { by, counts } = processes;
  const each = `each of ${counted(workers[0]!, 'worker')},`;
  if (by === 'ranks') return `${counts.join(', ')} ranks, ${each}`;
  return `${counts.map((count) => count - 1).join(', ')} nodes on loopback beside the coordinator, ${each}`;
}

export const ascending = (numbers: readonly number[]): number[] => [...new Set(numbers)].sort((a, b) => a - b);
