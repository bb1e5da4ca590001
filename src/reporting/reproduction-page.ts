// The report page of a reproduction: the table compared with paper and report, and its runs side by side.
import { accuracyText, percent, whole } from '../format.js';
import { type Bars, barsFigure } from './bars.js';
import { figure } from './chart.js';
import { comparedCharts } from './curves.js';
import { mistakesParts } from './mistakes.js';
import { settingsTable } from './numbers.js';
import { folded, type Html, html, page, section, table } from './page.js';
import type { RunRecord } from './record.js';
import { configParts, qualityParts, reconstructionsSection, trialNotes } from './run-page.js';

/** Accuracies on the test images in per cent, as means over the splits. */
export interface ReproductionRow {
  readonly name: string;
  /** undefined if the runs cannot be compared with them. */
  readonly paper: number | undefined;
  readonly report: number | undefined;
  /** undefined if there are no test images. */
  readonly accuracy: number | undefined;
  /** The sample standard deviation over the splits; undefined for one split. */
  readonly deviation: number | undefined;
  readonly aboveReport: boolean;
  readonly steps: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

/** A run of a reproduction. folder: of the run, relative to the page. */
export interface ReproductionRun {
  readonly title: string;
  readonly folder: string;
  readonly record: RunRecord;
}

/**
 * Returns a whole HTML document.
 * @param runs all of them; curves and details are those of the first `detailed`, the runs of one split
 */
export function reproductionPage(
  name: string,
  rows: readonly ReproductionRow[],
  runs: readonly ReproductionRun[],
  detailed: number,
): string {
  const shown = runs.slice(0, detailed);
  const last = shown.at(-1);
  const of = detailed < runs.length ? ' (first split)' : '';
  const title = rows.some(({ report }) => report !== undefined)
    ? "The report's four scenarios, reproduced"
    : "The report's scenarios on other data";
  const charts = comparedCharts(shown.map(({ title, record }) => ({ ...record, name: title })));
  return page(title, `Reproduction ${name}`, [
    ...(last ? trialNotes(last.record.config) : []),
    section('Accuracy', [html`<div class="answer">${rowBars(rows)}</div>`, rowTable(rows)]),
    section(`Accuracy and loss over time${of}`, [html`<div class="charts">${charts.map(figure)}</div>`]),
    section(
      `Quality of the pseudo-labels${of}`,
      shown.map(({ title, record }) => titled(title, qualityParts(record))),
    ),
    section(
      `Mistakes${of}`,
      shown.map(({ title, record }) => folded(title, [mistakesParts(record)])),
    ),
    ...shown.map(({ record }) => reconstructionsSection(record)),
    section('Runs', [runTable(runs)]),
    last &&
      section('Numbers', [
        html`<p>Those of ${last.title}; each run's own report has its own.</p>`,
        settingsTable(last.record),
        configParts(last.record),
      ]),
  ]);
}

/** Returns a chart, or undefined if there are no test images. */
function rowBars(rows: readonly ReproductionRow[]): Html | undefined {
  if (rows.every(({ accuracy }) => accuracy === undefined)) return undefined;
  return barsFigure(barsOf(rows));
}

/** Returns the rows as a chart, with paper and report if they can be compared. rows: not empty. */
export function barsOf(rows: readonly ReproductionRow[]): Bars {
  const isRepeated = rows.some(({ deviation }) => deviation !== undefined);
  return {
    id: 'accuracy',
    title: `Accuracy on the test images${isRepeated ? ', with the standard deviation over splits' : ''}`,
    groups: rows.map(({ name }) => name),
    series: [
      { name: 'Paper (Lee 2013)', colour: 'series3', values: rows.map(({ paper }) => paper) },
      { name: 'Report', colour: 'series2', values: rows.map(({ report }) => report) },
      {
        name: 'Ours',
        colour: 'series1',
        values: rows.map(({ accuracy }) => accuracy),
        deviations: rows.map(({ deviation }) => deviation),
      },
    ],
  };
}

function rowTable(rows: readonly ReproductionRow[]): Html {
  const isCompared = rows.some(({ report }) => report !== undefined);
  return table({
    caption: `Accuracy on the test images in per cent${isCompared ? '; ✓ marks rows above the report' : ''}`,
    columns: ['Row', ...(isCompared ? ['Paper', 'Report'] : []), 'Ours', 'Steps', 'Seconds', 'Images/s'],
    rows: rows.map((row) => rowCells(row, isCompared)),
  });
}

function rowCells(row: ReproductionRow, isCompared: boolean): (string | undefined)[] {
  const { name, paper, report, steps, seconds, imagesPerSecond } = row;
  const published = isCompared ? [paper?.toFixed(2), report?.toFixed(2)] : [];
  return [name, ...published, accuracyText(row), whole(steps), seconds.toFixed(1), whole(imagesPerSecond)];
}

function runTable(runs: readonly ReproductionRun[]): Html {
  const link = (folder: string): Html => {
    const path = `${folder.split('/').map(encodeURIComponent).join('/')}/report.html`;
    return html`<a href="${path}">its report</a>`;
  };
  return table({
    caption: 'Every run has a directory of its own, with a report of its own',
    columns: ['Run', 'Test accuracy', 'Steps', 'Weights (SHA-256)', 'More'],
    isText: true,
    rows: runs.map(({ title, folder, record: { result } }) => [
      title,
      result?.testAccuracy === undefined ? undefined : percent(result.testAccuracy),
      result && whole(result.steps),
      result && html`<code>${result.weightsSha256.slice(0, 16)}</code>`,
      link(folder),
    ]),
  });
}

/** Adds a title that names the run, because several runs are on one page. */
const titled = (title: string, part: Html | undefined): Html | undefined => part && html`<h3>${title}</h3>${part}`;
