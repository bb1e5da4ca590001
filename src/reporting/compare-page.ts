// Compares several runs: the table for terminal and page, and the page.
import { duration, percent, whole } from '../format.js';
import { rowName } from '../training/scenario.js';
import { type Bars, barsFigure } from './bars.js';
import { figure } from './chart.js';
import { comparedCharts, shareRight } from './curves.js';
import { meanAndDeviation } from './metrics.js';
import { type Html, html, page, section, table } from './page.js';
import type { RunRecord } from './record.js';

export interface ComparedRun {
  readonly run: string;
  readonly scenario: string;
  readonly preset: string;
  readonly seed: number | undefined;
  /** Shares from 0 to 1. The one of the pseudo-labels is from the last time that they were judged. */
  readonly testAccuracy: number | undefined;
  readonly validationAccuracy: number | undefined;
  readonly pseudoLabelsRight: number | undefined;
  readonly steps: number | undefined;
  readonly seconds: number | undefined;
  readonly imagesPerSecond: number | undefined;
  readonly weightsSha256: string | undefined;
}

export interface Comparison {
  readonly runs: readonly ComparedRun[];
  /** The options in which the runs differ, with the value of each run. */
  readonly differences: readonly { readonly option: string; readonly values: readonly string[] }[];
}

export function compared(runs: readonly RunRecord[]): Comparison {
  return {
    runs: runs.map(({ name, config, metrics, result }) => ({
      run: name,
      scenario: rowName(config),
      preset: String(config.preset ?? ''),
      seed: result?.seed,
      testAccuracy: result?.testAccuracy,
      validationAccuracy: result?.validationAccuracy,
      pseudoLabelsRight: metrics.map(shareRight).findLast((share) => share !== undefined),
      steps: result?.steps,
      seconds: result?.seconds,
      imagesPerSecond: result?.imagesPerSecond,
      weightsSha256: result?.weightsSha256,
    })),
    differences: differencesOf(runs.map(({ config }) => config)),
  };
}

function differencesOf(configs: readonly Readonly<Record<string, unknown>>[]): Comparison['differences'] {
  const options = new Set(configs.flatMap((config) => Object.keys(config)));
  // The stages follow from the options, and would fill a page.
  options.delete('stages');
  return [...options]
    .map((option) => ({ option, values: configs.map((config) => JSON.stringify(config[option]) ?? '–') }))
    .filter(({ values }) => new Set(values).size > 1);
}

export const COMPARED_COLUMNS = [
  'Run',
  'Row',
  'Preset',
  'Seed',
  'Test',
  'Validation',
  'Pseudo-labels right',
  'Steps',
  'Time',
  'Images/s',
  'Weights',
] as const;

/** Returns the cells of each run, in the order of COMPARED_COLUMNS, with – if a run has no value. */
export function comparedCells({ runs }: Comparison): string[][] {
  const written = <T>(value: T | undefined, write: (value: T) => string): string =>
    value === undefined ? '–' : write(value);
  return runs.map((each) => [
    each.run,
    each.scenario,
    each.preset,
    written(each.seed, String),
    ...[each.testAccuracy, each.validationAccuracy, each.pseudoLabelsRight].map((share) =>
      written(share, (each) => percent(each)),
    ),
    written(each.steps, whole),
    written(each.seconds, duration),
    written(each.imagesPerSecond, whole),
    written(each.weightsSha256, (sha256) => sha256.slice(0, 12)),
  ]);
}

/**
 * Options that change only the random draws or nothing at all. Runs that differ in nothing else are repetitions of one
 * training.
 */
const DRAWN: ReadonlySet<string> = new Set(['seed', 'splitSeed', 'workers', 'stages', 'cache']);

/** Runs that repeat one training. Accuracies are in per cent. */
export interface Repetitions {
  readonly title: string;
  readonly runs: number;
  /** undefined if no run measured it. The sample deviation is undefined for a single run. */
  readonly test: Summary | undefined;
  readonly validation: Summary | undefined;
}

interface Summary {
  readonly mean: number;
  readonly deviation: number | undefined;
}

/** Groups runs that repeat one training, in the order of the first run of each. */
export function repetitionsOf(runs: readonly RunRecord[]): Repetitions[] {
  const groups = new Map<string, RunRecord[]>();
  for (const run of runs) {
    const key = JSON.stringify(Object.entries(run.config).filter(([option]) => !DRAWN.has(option)));
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const members = [...groups.values()];
  const others = differencesOf(members.map(([first]) => first!.config)).filter(
    ({ option }) => !DRAWN.has(option) && option !== 'scenario',
  );
  const plain = (json: string): string => json.replace(/^"|"$/g, '');
  return members.map((group, g) => ({
    title:
      group.length === 1
        ? group[0]!.name
        : [rowName(group[0]!.config), ...others.map(({ option, values }) => `${option} ${plain(values[g]!)}`)].join(
            ', ',
          ),
    runs: group.length,
    test: summaryOf(group.map(({ result }) => result?.testAccuracy)),
    validation: summaryOf(group.map(({ result }) => result?.validationAccuracy)),
  }));
}

function summaryOf(shares: readonly (number | undefined)[]): Summary | undefined {
  const values = shares.flatMap((share) => (share === undefined ? [] : [100 * share]));
  if (values.length === 0) return undefined;
  const { mean, deviation } = meanAndDeviation(values);
  return { mean, deviation: values.length > 1 ? deviation : undefined };
}

export const summaryText = (summary: Summary | undefined): string | undefined =>
  summary && `${summary.mean.toFixed(2)}${summary.deviation === undefined ? '' : ` ± ${summary.deviation.toFixed(2)}`}`;

/** Returns a whole HTML document. */
export function comparePage(runs: readonly RunRecord[]): string {
  const comparison = compared(runs);
  const repetitions = repetitionsOf(runs);
  return page('Runs compared', runs.map(({ name }) => name).join(', '), [
    section('Results', [
      barsOf(repetitions),
      repetitions.some(({ runs: count }) => count > 1) ? meansTable(repetitions) : undefined,
      table({
        caption: 'Accuracies on test and validation images',
        columns: COMPARED_COLUMNS,
        rows: comparedCells(comparison),
      }),
    ]),
    section('Options that differ', [
      comparison.differences.length === 0
        ? html`<p>None.</p>`
        : table({
            caption: 'Options with more than one value',
            columns: ['Option', ...runs.map(({ name }) => name)],
            isText: true,
            rows: comparison.differences.map(({ option, values }) => [option, ...values]),
          }),
    ]),
    section('Accuracy and loss over time', [html`<div class="charts">${comparedCharts(runs).map(figure)}</div>`]),
  ]);
}

const meansTable = (repetitions: readonly Repetitions[]): Html =>
  table({
    caption: 'Means and standard deviations in per cent, over runs that differ in nothing but seed and split',
    columns: ['Runs that repeat each other', 'Test', 'Validation', 'Number of runs'],
    rows: repetitions.map(({ title, runs, test, validation }) => [
      title,
      summaryText(test),
      summaryText(validation),
      whole(runs),
    ]),
  });

/** Returns a chart, or undefined if no run has an accuracy. */
function barsOf(repetitions: readonly Repetitions[]): Html | undefined {
  const series = [
    { name: 'Test images', colour: 'series1' as const, of: ({ test }: Repetitions) => test },
    { name: 'Validation images', colour: 'series3' as const, of: ({ validation }: Repetitions) => validation },
  ].map(({ of, ...each }) => ({
    ...each,
    values: repetitions.map((group) => of(group)?.mean),
    deviations: repetitions.map((group) => of(group)?.deviation),
  }));
  if (series.every(({ values }) => values.every((value) => value === undefined))) return undefined;
  const isRepeated = repetitions.some(({ runs }) => runs > 1);
  const bars: Bars = {
    id: 'accuracy',
    title: `Accuracy${isRepeated ? ', with the standard deviation over repetitions' : ''}`,
    groups: repetitions.map(({ title }) => title),
    series,
  };
  return html`<div class="answer">${barsFigure(bars)}</div>`;
}
