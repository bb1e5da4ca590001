// The plots of a scaling measurement: speed-up and efficiency with their intervals, and where the time of the workers
// goes.
import type { Estimate } from '../scaling/bootstrap.js';
import type { Row } from '../scaling/summary.js';
import { SHARES, type Share } from '../scaling/time-split.js';
import type { Chart, Line, Stacks } from './chart.js';
import type { Role } from './theme.js';

/** What the x axis counts: workers of one process, or processes or ranks with equally many workers each. */
export type Unit = 'workers' | 'processes' | 'ranks';

export interface MeasuredPhase {
  /** As 'finetune'. */
  readonly phase: string;
  readonly unit: Unit;
  /** The others are compared with the first. */
  readonly rows: readonly Row[];
}

const COLOURS: Record<Share, Role> = {
  input: 'series6',
  forward: 'series1',
  wait: 'faint',
  backward: 'series2',
  update: 'series3',
  predict: 'series1',
  serialise: 'series5',
  send: 'series4',
  dispatch: 'ink',
  idle: 'line',
};

/** The number of units that a row's workers make up. */
export const unitsOf = ({ rows: [first] }: MeasuredPhase, { workers }: Row): number => workers / (first?.workers ?? 1);

export function speedUpChart(measured: MeasuredPhase): Chart {
  const { phase, unit, rows } = measured;
  const threads = rows.flatMap((row) =>
    row.oneWorkerOfThreads ? [[unitsOf(measured, row), row.oneWorkerOfThreads.speedUp] as const] : [],
  );
  return {
    id: `${phase}-speed-up`,
    title: `${phase}: speed-up, with 95 % intervals`,
    x: unit,
    unit: 'number',
    lines: [
      lineOf(
        'measured',
        blocks(measured, ({ speedUp }) => speedUp),
      ),
      { name: 'ideal', points: rows.map((row) => [unitsOf(measured, row), unitsOf(measured, row)]) },
      ...(threads.length > 0 ? [lineOf('1 worker, N threads', threads)] : []),
    ],
  };
}

export function efficiencyChart(measured: MeasuredPhase): Chart {
  return {
    id: `${measured.phase}-efficiency`,
    title: `${measured.phase}: efficiency, with 95 % intervals`,
    x: measured.unit,
    unit: 'share',
    lines: [
      lineOf(
        'measured',
        blocks(measured, ({ efficiency }) => efficiency),
      ),
      { name: 'ideal', points: measured.rows.map((row) => [unitsOf(measured, row), 1]) },
    ],
  };
}

export function splitStacks(measured: MeasuredPhase): Stacks {
  const { phase, unit, rows } = measured;
  return {
    id: `${phase}-time`,
    title: `${phase}: where a worker's time goes`,
    x: unit,
    y: 'ms of a step',
    bars: rows.map((row) => String(unitsOf(measured, row))),
    parts: SHARES.filter((share) => rows.some(({ split }) => split[share] > 0)).map((share) => ({
      name: share,
      colour: COLOURS[share],
      values: rows.map(({ split }) => split[share]),
    })),
  };
}

type Pairs = readonly (readonly [units: number, estimate: Estimate])[];

const blocks = (measured: MeasuredPhase, of: (row: Row) => Estimate): Pairs =>
  measured.rows.map((row) => [unitsOf(measured, row), of(row)]);

function lineOf(name: string, estimates: Pairs): Line {
  return {
    name,
    points: estimates.map(([x, { value }]) => [x, value]),
    intervals: estimates.flatMap(([x, { low, high }]) =>
      low === undefined || high === undefined || low === high ? [] : [[x, low, high] as const],
    ),
  };
}
