// The report page of a sweep: which numbers are best on validation images, as means with deviations, and the curves of
// the runs.
import { duration, percent, whole } from '../format.js';
import { barsFigure } from './bars.js';
import { figure } from './chart.js';
import { comparedCharts } from './curves.js';
import { settingsTable } from './numbers.js';
import { type Html, html, page, section, table } from './page.js';
import type { RunRecord } from './record.js';
import { configParts, trialNotes } from './run-page.js';

/** A combination of settings. Rows are in order, the best first. Accuracies are in per cent on validation images. */
export interface SweptRow {
  readonly title: string;
  readonly runs: number;
  readonly mean: number;
  /** undefined for a single run. */
  readonly deviation: number | undefined;
  readonly seconds: number;
}

/** folder: of the run, relative to the page. */
export interface SweptRun {
  readonly title: string;
  readonly folder: string;
  readonly record: RunRecord;
}

/** The most bars and lines of a picture that can be read. */
const MOST_BARS = 24;
const MOST_LINES = 6;

/**
 * Returns a whole HTML document.
 * @param rows of which at least one run has ended
 * @param runs all that have begun; shown: one of each row, in their order, whose curves are drawn
 * @param planned the number of runs of the whole sweep
 */
export function sweepPage(
  name: string,
  rows: readonly SweptRow[],
  runs: readonly SweptRun[],
  shown: readonly SweptRun[],
  planned: number,
): string {
  const ended = runs.filter(({ record }) => record.result).length;
  const charts = comparedCharts(shown.slice(0, MOST_LINES).map(({ title, record }) => ({ ...record, name: title })));
  const last = shown[0];
  const lead = `Sweep ${name}: ${whole(ended)} of ${whole(planned)} runs have ended`;
  return page('Which numbers are best', lead, [
    ...(last ? trialNotes(last.record.config) : []),
    section('Accuracy on validation images', [
      rows.length > 0 ? html`<div class="answer">${barsOf(rows)}</div>` : html`<p>No run has ended yet.</p>`,
      rows.length > 0 ? rowTable(rows) : undefined,
    ]),
    section('Accuracy and loss over time', [
      html`<p>One run of each of the best ${whole(Math.min(shown.length, MOST_LINES))}.</p>`,
      html`<div class="charts">${charts.map(figure)}</div>`,
    ]),
    section('Runs', [runTable(runs)]),
    last &&
      section('Numbers', [html`<p>Those of ${last.title}.</p>`, settingsTable(last.record), configParts(last.record)]),
  ]);
}

function barsOf(rows: readonly SweptRow[]): Html {
  const first = rows.slice(0, MOST_BARS);
  const more = rows.length > MOST_BARS ? `; the best ${MOST_BARS} of ${whole(rows.length)}` : '';
  return barsFigure({
    id: 'validation',
    title: `Accuracy on validation images, with the standard deviation over seeds and splits${more}`,
    groups: first.map(({ title }) => title),
    series: [
      {
        name: 'Mean',
        colour: 'series1',
        values: first.map(({ mean }) => mean),
        deviations: first.map(({ deviation }) => deviation),
      },
    ],
  });
}

const rowTable = (rows: readonly SweptRow[]): Html =>
  table({
    caption: 'Accuracy on validation images in per cent: mean and sample standard deviation over seeds and splits',
    columns: ['Settings', 'Mean', 'Deviation', 'Runs', 'Time of a run'],
    rows: rows.map(({ title, mean, deviation, runs, seconds }) => [
      title,
      mean.toFixed(2),
      deviation?.toFixed(2),
      whole(runs),
      duration(seconds),
    ]),
  });

const runTable = (runs: readonly SweptRun[]): Html =>
  table({
    caption: 'Every run has a directory of its own',
    columns: ['Run', 'Validation accuracy', 'Time', 'Weights (SHA-256)', 'Folder'],
    isText: true,
    rows: runs.map(({ title, folder, record: { result } }) => [
      title,
      result?.validationAccuracy === undefined ? undefined : percent(result.validationAccuracy),
      result && duration(result.seconds),
      result && html`<code>${result.weightsSha256.slice(0, 16)}</code>`,
      folder,
    ]),
  });
