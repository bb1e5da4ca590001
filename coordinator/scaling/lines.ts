// Owns how a scaling report is printed: for each phase its tables, then what they say in words.

import { counted, percent, whole } from '../../src/format.js';
import type { Estimate } from '../../src/scaling/bootstrap.js';
import { ASSUMPTIONS, COLLECTIVES, type Network, type Prediction } from '../../src/scaling/simulate.js';
import type { Row } from '../../src/scaling/summary.js';
import { SHARES } from '../../src/scaling/time-split.js';
import { type Colours, PLAIN } from '../terminal/colours.js';
import { type Column, tableLines } from '../terminal/table.js';
import { fitLines, predictionLines, verdictLines } from './conclusion-lines.js';
import type { PhaseReport, ScalingReport } from './report.js';

const columns = (...titles: string[]): Column[] => titles.map((title) => ({ title, align: 'right' }));

/** '1.87 [1.80, 1.93]': the value and its 95 % interval. */
const interval = ({ value, low, high }: Estimate, digits: number): string =>
  low === undefined || high === undefined || low === high
    ? value.toFixed(digits)
    : `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;

export function scalingLines(report: ScalingReport, colours: Pick<Colours, 'bold' | 'yellow'> = PLAIN): string[] {
  const { machine, workload } = report;
  const place = `${counted(machine.cores, 'core')} of ${machine.processor}, Node ${machine.node}`;
  return [
    `${place}; preset ${workload.preset}, ${whole(workload.hidden)} hidden units, strategy ${workload.strategy}`,
    ...report.phases.flatMap((phase) => ['', ...phaseLines(phase, report, colours)]),
    ...(report.network ? ['', 'assumed in the simulation:', ...ASSUMPTIONS.map((each) => `  - ${each}`)] : []),
  ];
}

function phaseLines(phase: PhaseReport, report: ScalingReport, colours: Pick<Colours, 'bold' | 'yellow'>): string[] {
  const { rows, rounds, prediction } = phase;
  const steps = phase.phase === 'label' ? 'one pass over the images' : counted(report.workload.steps, 'step');
  const title = `${phase.phase}, ${report.mode} scaling: medians of ${counted(rounds.length, 'round')} of ${steps}, with 95 % intervals`;
  return [
    colours.bold(title),
    ...speedLines(phase, report),
    '',
    "where a worker's time goes, in ms of a step",
    ...splitLines(rows, report),
    ...(prediction ? ['', ...simulationLines(prediction, phase, report)] : []),
    '',
    ...phaseWords(phase, report, colours),
  ];
}

/** What the tables of a phase come to, in sentences. The judgement is the last, where a terminal's reader is when it is done. */
export function phaseWords(
  phase: PhaseReport,
  { machine, unit }: ScalingReport,
  colours: Pick<Colours, 'bold' | 'yellow'> = PLAIN,
): string[] {
  const compared = { unit, each: phase.rows[0]!.workers, cores: machine.cores };
  return [...fitLines(phase), ...phase.rows.flatMap((row) => verdictLines(row, compared, colours))];
}

/** In a step: between processes where there are several, and through shared memory where there is one. */
export const bytesMoved = ({ traffic, rows }: PhaseReport, { workers, wireBytes }: Row): number =>
  rows.some((row) => row.wireBytes > 0) ? wireBytes : traffic[workers]!.moved;

function speedLines(phase: PhaseReport, { unit }: ScalingReport): string[] {
  const { rows } = phase;
  const titles = columns(unit, 'ms a step', 'images/s', 'speed-up', 'efficiency', 'serial share', 'MB moved');
  const lines = rows.flatMap((row) => {
    const { workers, serialFraction, oneWorkerOfThreads: one } = row;
    const own = [
      String(workers / rows[0]!.workers),
      interval(row.millisecondsPerStep, 1),
      whole(row.imagesPerSecond.value),
      interval(row.speedUp, 2),
      percent(row.efficiency.value, 0),
      serialFraction === undefined ? '-' : percent(serialFraction, 1),
      (bytesMoved(phase, row) / 1e6).toFixed(1),
    ];
    if (!one) return [own];
    return [own, [`1 of ${workers} threads`, interval(one.millisecondsPerStep, 1), '', interval(one.speedUp, 2)]];
  });
  return tableLines(titles, lines);
}

function splitLines(rows: readonly Row[], { unit }: ScalingReport): string[] {
  const shown = SHARES.filter((share) => rows.some(({ split }) => split[share] > 0));
  const lines = rows.map(({ workers, split, splitError }) => [
    String(workers / rows[0]!.workers),
    ...shown.map((share) => split[share].toFixed(2)),
    percent(splitError, 1),
  ]);
  return tableLines(columns(unit, ...shown, 'sum is off by'), lines);
}

export const linkOf = ({ bitsPerSecond, rttMilliseconds }: Network): string =>
  `links of ${bitsPerSecond / 1e9} Gbit/s with a round trip of ${rttMilliseconds} ms`;

function simulationLines(prediction: readonly Prediction[], phase: PhaseReport, { network }: ScalingReport): string[] {
  const titles = columns('nodes', ...COLLECTIVES.flatMap((name) => [`${name}: ms a step`, 'speed-up', 'efficiency']));
  const lines = prediction.map(({ nodes, ...of }) => [
    String(nodes),
    ...COLLECTIVES.flatMap((name) => [
      of.milliseconds[name].toFixed(1),
      of.speedUp[name].toFixed(2),
      percent(of.efficiency[name], 0),
    ]),
  ]);
  return [
    `simulated, not measured: nodes like this machine, ${linkOf(network!)}`,
    ...tableLines(titles, lines),
    ...predictionLines(prediction, phase),
  ];
}
