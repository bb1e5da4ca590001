// The report page of a scaling measurement: its plots, their numbers, and conclusions in words.
import { percent, whole } from '../format.js';
import type { Estimate } from '../scaling/bootstrap.js';
import { COLLECTIVES, millisecondsText, type Prediction, speedUpText } from '../scaling/simulate.js';
import type { Row } from '../scaling/summary.js';
import { SHARES, type Share } from '../scaling/time-split.js';
import {
  type Chart,
  captioned,
  drawing,
  type Line,
  plot,
  type Stacks,
  standalone,
  svgOf,
  svgOfStacks,
} from './chart.js';
import { type Html, html, page, section, table } from './page.js';
import type { Role } from './theme.js';

export interface ReportedPhase extends MeasuredPhase {
  readonly rounds: number;
  /** The MB that a step moves, by total number of workers; if there are several processes, between them. */
  readonly megabytes: Readonly<Record<number, number>>;
  /** Sentences about the rows. */
  readonly words: readonly string[];
  readonly prediction: readonly Prediction[] | undefined;
}

export interface ReportedScaling {
  readonly name: string;
  readonly mode: 'strong' | 'weak';
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** The link of the predicted cluster. */
  readonly link: string | undefined;
  readonly phases: readonly ReportedPhase[];
}

/** Returns a whole HTML document. */
export function scalingPage({ name, mode, facts, link, phases }: ReportedScaling): string {
  return page('Scaling', `Measurement ${name}: ${mode} scaling`, [
    ...phases.flatMap((phase) => [
      section(phase.phase, [
        html`${phase.words.map((line) => html`<p>${line}</p>`)}`,
        html`<div class="charts">${figures(phase)}</div>`,
        speedTable(phase),
        splitTable(phase),
        phase.prediction && predictionTable(phase.prediction, link ?? ''),
      ]),
    ]),
    section('Machine and work', [
      table({ caption: 'What was measured where', columns: ['What', 'Value'], isText: true, rows: facts }),
    ]),
  ]);
}

/** Returns the plots of a phase as files: name and SVG document. */
export function plotsOf(phase: MeasuredPhase): (readonly [file: string, svg: string])[] {
  const charts = [speedUpChart(phase), efficiencyChart(phase)];
  const stacks = splitStacks(phase);
  return [
    ...charts.map((chart) => [`${chart.id}.svg`, standalone(svgOf(chart), chart.title)] as const),
    [`${stacks.id}.svg`, standalone(svgOfStacks(stacks), stacks.title)],
  ];
}

/** Returns the plots for a page. Their numbers are in the tables below. */
function figures(phase: ReportedPhase): Html[] {
  const charts = [speedUpChart(phase), efficiencyChart(phase)];
  const stacks = splitStacks(phase);
  return [
    ...charts.map((chart) => captioned(chart.title, [plot(chart)])),
    captioned(stacks.title, [drawing(svgOfStacks(stacks), inWords(stacks))]),
  ];
}

function inWords({ title, x, bars, parts }: Stacks): string {
  const each = bars.map((bar, b) => {
    const shown = parts.filter(({ values }) => values[b]! > 0);
    return `${x} ${bar}: ${shown.map(({ name, values }) => `${name} ${values[b]!.toFixed(2)} ms`).join(', ')}`;
  });
  return `Bar chart. ${title}: ${each.join('; ')}.`;
}

const interval = ({ value, low, high }: Estimate, digits: number): string =>
  low === undefined || high === undefined || low === high
    ? value.toFixed(digits)
    : `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;

function speedTable(phase: ReportedPhase): Html {
  const { rows, unit, rounds, megabytes } = phase;
  const lines = rows.flatMap((row) => {
    const { workers, serialFraction, oneWorkerOfThreads: one } = row;
    const own = [
      String(unitsOf(phase, row)),
      interval(row.millisecondsPerStep, 1),
      whole(row.imagesPerSecond.value),
      interval(row.speedUp, 2),
      percent(row.efficiency.value, 0),
      serialFraction === undefined ? undefined : percent(serialFraction, 1),
      megabytes[workers]?.toFixed(1),
      row.doubts.length === 0 ? undefined : row.doubts.join(', '),
    ];
    if (!one) return [own];
    const threads = [`1 of ${workers} threads`, interval(one.millisecondsPerStep, 1), undefined];
    return [own, [...threads, interval(one.speedUp, 2), undefined, undefined, undefined, undefined]];
  });
  return table({
    caption: `Medians of ${rounds} rounds, with 95 % intervals`,
    columns: [unit, 'ms a step', 'images/s', 'speed-up', 'efficiency', 'serial share', 'MB moved', 'doubts'],
    rows: lines,
  });
}

function splitTable(phase: ReportedPhase): Html {
  const { rows, unit } = phase;
  const shown = SHARES.filter((share) => rows.some(({ split }) => split[share] > 0));
  return table({
    caption: "Where a worker's time goes, in ms of a step",
    columns: [unit, ...shown, 'sum is off by'],
    rows: rows.map((row) => [
      String(unitsOf(phase, row)),
      ...shown.map((share) => row.split[share].toFixed(2)),
      percent(row.splitError, 1),
    ]),
  });
}

function predictionTable(prediction: readonly Prediction[], link: string): Html {
  return table({
    caption: `Simulated, not measured: nodes like this machine, ${link}`,
    columns: ['nodes', ...COLLECTIVES.flatMap((name) => [`${name}: ms a step`, 'speed-up', 'efficiency'])],
    rows: prediction.map((of) => [
      String(of.nodes),
      ...COLLECTIVES.flatMap((name) => [
        millisecondsText(of, name),
        speedUpText(of, name),
        percent(of.efficiency[name], 0),
      ]),
    ]),
  });
}

/** What the x axis counts: workers of one process, or processes or ranks with equally many workers each. */
export type Unit = 'workers' | 'processes' | 'ranks';

export interface MeasuredPhase {
  /** The name, such as 'finetune'. */
  readonly phase: string;
  readonly unit: Unit;
  /** The rows. The others are compared with the first. */
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

/** Returns the number of units that a row's workers make up. */
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
