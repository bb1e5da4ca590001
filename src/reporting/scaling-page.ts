// The report page of a scaling measurement: its plots, their numbers, and conclusions in words.
import { percent, whole } from '../format.js';
import type { Estimate } from '../scaling/bootstrap.js';
import { COLLECTIVES, type Prediction } from '../scaling/simulate.js';
import { SHARES } from '../scaling/time-split.js';
import { type Stacks, standalone, svgOf, svgOfStacks } from './chart.js';
import { descriptionOf, drawing } from './figure.js';
import { type Html, html, page, section, table } from './page.js';
import { efficiencyChart, type MeasuredPhase, speedUpChart, splitStacks, unitsOf } from './scaling-charts.js';

export interface ReportedPhase extends MeasuredPhase {
  readonly rounds: number;
  /** MB that a step moves, by total number of workers: between processes where there are several. */
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

/** A whole HTML document. */
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

/** The plots of a phase as files: name and SVG document. */
export function plotsOf(phase: MeasuredPhase): (readonly [file: string, svg: string])[] {
  const charts = [speedUpChart(phase), efficiencyChart(phase)];
  const stacks = splitStacks(phase);
  return [
    ...charts.map((chart) => [`${chart.id}.svg`, standalone(svgOf(chart), chart.title)] as const),
    [`${stacks.id}.svg`, standalone(svgOfStacks(stacks), stacks.title)],
  ];
}

/** The plots in a page. Their numbers are in the tables below. */
function figures(phase: ReportedPhase): Html[] {
  const charts = [speedUpChart(phase), efficiencyChart(phase)];
  const stacks = splitStacks(phase);
  return [
    ...charts.map((chart) => titled(chart.title, drawing(svgOf(chart), descriptionOf(chart)))),
    titled(stacks.title, drawing(svgOfStacks(stacks), inWords(stacks))),
  ];
}

const titled = (title: string, drawn: Html): Html => html`<figure><figcaption>${title}</figcaption>${drawn}</figure>`;

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
    rows: prediction.map(({ nodes, ...of }) => [
      String(nodes),
      ...COLLECTIVES.flatMap((name) => [
        of.milliseconds[name].toFixed(1),
        of.speedUp[name].toFixed(2),
        percent(of.efficiency[name], 0),
      ]),
    ]),
  });
}
