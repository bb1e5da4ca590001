// The comparison of several runs: the table for terminal and page, and the page.
import { duration, percent, whole } from '../format.js';
import { ROW_NAMES } from '../training/scenario.js';
import { figure } from './chart.js';
import { comparedCharts, shareRight } from './curves.js';
import { html, page, section, table } from './page.js';
import type { RunRecord } from './record.js';

export interface ComparedRun {
  readonly run: string;
  readonly scenario: string;
  readonly preset: string;
  readonly seed: number | undefined;
  /** Shares from 0 to 1; that of the pseudo-labels is of the last time they were judged. */
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
  /** Options in which they differ, with the value of each run. */
  readonly differences: readonly { readonly option: string; readonly values: readonly string[] }[];
}

export function compared(runs: readonly RunRecord[]): Comparison {
  return {
    runs: runs.map(({ name, config, metrics, result }) => ({
      run: name,
      scenario: ROW_NAMES[config.scenario],
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

/** A line of cells for each run, in the order of COMPARED_COLUMNS; – where a run has no value. */
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

/** A whole HTML document. */
export function comparePage(runs: readonly RunRecord[]): string {
  const comparison = compared(runs);
  return page('Runs compared', runs.map(({ name }) => name).join(', '), [
    section('Results', [
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
    section('Curves', [html`<div class="charts">${comparedCharts(runs).map(figure)}</div>`]),
  ]);
}
