// The report page of one run, and its sections, which the page of a reproduction also shows.
import { duration, percent, whole } from '../format.js';
import { choiceText } from '../methods/class-balance-text.js';
import { rampLine } from '../training/alpha-ramp.js';
import { publishedFor, rowName } from '../training/scenario.js';
import { type Bars, barsFigure } from './bars.js';
import { figure } from './chart.js';
import { MOST_MATRIX_CLASSES } from './confusion.js';
import { chartsOf, STAGE_TITLES } from './curves.js';
import { picture } from './image.js';
import { headOf, heat, heatTable, mistakesParts } from './mistakes.js';
import { repeatParts, settingsTable } from './numbers.js';
import { facts, folded, type Html, html, page, section, table, wide } from './page.js';
import type { LabelsRecord, ResultRecord, RunRecord } from './record.js';
import { doubtfulPart, roundsTable, viewsSection } from './rounds.js';

/** Returns a whole HTML document. */
export function runPage(run: RunRecord): string {
  const { config, result } = run;
  const lead = result
    ? `Run ${run.name}: preset ${result.preset}, seed ${result.seed}, split ${splitOf(result)}`
    : `Run ${run.name}`;
  return page(`${rowName(config)}: report of a run`, lead, [
    ...trialNotes(config),
    resultSection(run),
    curvesSection(run),
    section('Quality of the pseudo-labels', [qualityParts(run)]),
    section('Mistakes', [mistakesParts(run)]),
    viewsSection(run),
    reconstructionsSection(run),
    numbersSection(run),
  ]);
}

const splitOf = ({ split, splitSeed }: { split: string; splitSeed: number }): string =>
  split === 'first' ? 'first' : `${split} ${splitSeed}`;

const percentOf = (share: number | undefined): string | undefined => (share === undefined ? undefined : percent(share));

/** Returns notes on what lowers the accuracies of a trial, so that nobody takes them for the method's. */
export function trialNotes({ quick, maxSteps }: RunRecord['config']): Html[] {
  const notes = [
    quick === true
      ? 'This is a trial (--quick): a sixth of the steps. Without --quick the same training takes longer, and ends with better accuracies.'
      : undefined,
    typeof maxSteps === 'number' ? `Each stage was ended after ${whole(maxSteps)} steps (--max-steps).` : undefined,
  ];
  return notes.flatMap((note) => (note === undefined ? [] : [html`<p class="note"><strong>${note}</strong></p>`]));
}

function resultSection({ result, config }: RunRecord): Html | undefined {
  if (!result) return section('Result', [html`<p>The run has not ended yet.</p>`]);
  const { testAccuracy } = result;
  return section('Result', [
    facts([
      ['Accuracy on test images', percentOf(testAccuracy)],
      ['Accuracy on validation images', percentOf(result.validationAccuracy)],
      ['Time of training', duration(result.seconds)],
      ['Steps', whole(result.steps)],
      ['Speed', `${whole(result.imagesPerSecond)} images/s`],
    ]),
    testAccuracy === undefined ? undefined : comparedFigure(config, testAccuracy),
  ]);
}

/** Compares with paper and report, or returns undefined if a run cannot be compared with them. */
function comparedFigure(config: RunRecord['config'], accuracy: number): Html | undefined {
  const { data, labelsPerClass, method } = config;
  const published = publishedFor(config.scenario, { data, labelsPerClass, method });
  if (!published) return undefined;
  const [paper, report, ours] = [published.paper, published.report, 100 * accuracy];
  const bars: Bars = {
    id: 'accuracy',
    title: 'Accuracy on the test images',
    groups: [`Paper ${paper.toFixed(2)} %`, `Report ${report.toFixed(2)} %`, `This run ${percent(accuracy)}`],
    series: [{ name: rowName(config), colour: 'series1', values: [paper, report, ours] }],
  };
  return html`<div class="answer">${barsFigure(bars)}</div>`;
}

/** Returns everything else that is known about the run, for readers who want the details. */
function numbersSection(run: RunRecord): Html | undefined {
  return section('Numbers', [
    repeatParts(run),
    settingsTable(run),
    run.result && detailsTable(run, run.result),
    dataTable(run),
    configParts(run),
  ]);
}

function detailsTable({ data }: RunRecord, result: ResultRecord): Html {
  const phases = Object.entries(result.secondsByPhase).map(([phase, seconds]) => `${phase} ${duration(seconds)}`);
  return table({
    caption: 'The run',
    columns: ['What', 'Value'],
    isText: true,
    rows: [
      ['Time by what was done', phases.join(', ')],
      ['Workers, shards', `${result.workers}, ${result.shards}`],
      ...(result.ramp ? [['Pseudo-labels', rampLine(result.ramp)]] : []),
      ['Class shares of the pseudo-labels', result.classShares && choiceText(result.classShares, data?.classNames)],
      ['Lost workers', result.lostWorkers],
      ['Weights (SHA-256)', html`<code>${result.weightsSha256}</code>`],
    ],
  });
}

function dataTable({ data }: RunRecord): Html | undefined {
  if (!data) return undefined;
  const { name, classNames, images, sha256 } = data;
  const { train, known, labelled, validation, test } = images;
  return table({
    caption: 'What the run learns from, and what it is measured on',
    columns: ['What', 'Value'],
    isText: true,
    rows: [
      ['Data set', name],
      ['Classes', `${whole(classNames.length)}: ${listOf(classNames)}`],
      ['Training images', whole(train)],
      ['of which nobody knows the label', known < train ? whole(train - known) : 'none'],
      ['of which the run uses the label', whole(labelled)],
      ['of which are held out to validate', validation > 0 ? whole(validation) : 'none'],
      ['Test images', test > 0 ? whole(test) : 'none: no test accuracy is measured'],
      ['Images and labels (SHA-256)', html`<code>${sha256}</code>`],
    ],
  });
}

const MOST_NAMED = 100;
const listOf = (names: readonly string[]): string => {
  const more = names.length - MOST_NAMED;
  return `${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${whole(more)} more` : ''}`;
};

function curvesSection(run: RunRecord): Html | undefined {
  const { training } = chartsOf(run);
  if (training.length === 0) return undefined;
  return section('Accuracy and loss over time', [html`<div class="charts">${training.map(figure)}</div>`]);
}

export function qualityParts(run: RunRecord): Html | undefined {
  const { quality } = chartsOf(run);
  const looks = run.metrics.filter((metric) => metric.kind === 'labels');
  if (looks.length === 0) return undefined;
  const isJudged = looks.some(({ truth }) => truth);
  const rounds = roundsTable(run);
  // A curve of one point says no more than its line of the table.
  const curves = quality.filter(({ lines }) => !rounds || lines.some(({ points }) => points.length > 1));
  return html`${isJudged ? judgedNote(run) : undefined}${rounds}
${curves.length > 0 ? html`<div class="charts">${curves.map(figure)}</div>` : undefined}${doubtfulPart(run)}
${folded('Class by class', [isJudged ? rightTable(run, looks) : undefined, countsTable(run, looks)])}`;
}

function judgedNote({ data }: RunRecord): Html {
  const isPartly = data !== undefined && data.images.known < data.images.train;
  const why = isPartly
    ? 'is known here only of the images whose label this data set has'
    : 'is known here because this data set has labels for all of its images';
  return html`<p class="note"><strong>Only for judging:</strong> whether a pseudo-label is right ${why}. With images that really have none
it would not be known. Training read none of these labels, and no choice in the run depended on them; the labelled images are left out.</p>`;
}

/**
 * Returns at most `most` records, evenly spaced, with the first and the last, because a run may refresh its
 * pseudo-labels thousands of times.
 */
function chosen(looks: readonly LabelsRecord[], most = 12): LabelsRecord[] {
  if (looks.length <= most) return [...looks];
  return Array.from({ length: most }, (_, i) => looks[Math.round((i * (looks.length - 1)) / (most - 1))]!);
}

/** Returns the step, and the stage if several stages have pseudo-labels. */
const whenOf = (looks: readonly LabelsRecord[], { stage, step }: LabelsRecord): string =>
  looks.every((look) => look.stage === stage) ? `Step ${whole(step)}` : `${STAGE_TITLES[stage]}, step ${whole(step)}`;

/** Returns the classes that get columns in a table: all, or, of many, those that come first by `by`. */
function shownClasses(count: number, by: (each: number) => number): { classes: number[]; text: string } {
  const all = Array.from({ length: count }, (_, each) => each);
  if (count <= MOST_MATRIX_CLASSES) return { classes: all, text: '' };
  const first = all.sort((a, b) => by(a) - by(b) || a - b).slice(0, MOST_COLUMNS);
  return { classes: first, text: ` (${MOST_COLUMNS} of ${whole(count)} classes:` };
}

const MOST_COLUMNS = 12;

function rightTable(run: RunRecord, looks: readonly LabelsRecord[]): Html {
  const last = looks.findLast(({ truth }) => truth)!.truth!;
  const shareOf = ({ truth }: LabelsRecord, each: number): number | undefined =>
    truth && truth.images[each]! > 0 ? truth.right[each]! / truth.images[each]! : undefined;
  const { classes, text } = shownClasses(last.images.length, (each) =>
    last.images[each]! > 0 ? last.right[each]! / last.images[each]! : 2,
  );
  const rows = chosen(looks).map((look) => {
    const cells = classes.map((each) => {
      const share = shareOf(look, each);
      return share === undefined ? heat('–', 0, true) : heat(percent(share, 0), share, true);
    });
    return html`<tr><th scope="row">${whenOf(looks, look)}</th>${cells}</tr>`;
  });
  return heatTable(
    `Share of each true class whose pseudo-labels are right${text && `${text} the worst at the end)`}`,
    ['When', ...classes.map((each) => headOf(run, each))],
    rows,
  );
}

function countsTable(run: RunRecord, looks: readonly LabelsRecord[]): Html {
  const last = looks.at(-1)!;
  const { classes, text } = shownClasses(last.perClass.length, (each) => -last.perClass[each]!);
  return table({
    caption: `Pseudo-labels of each class, and how many changed since the look before${text && `${text} the largest at the end)`}`,
    columns: ['When', ...classes.map((each) => headOf(run, each)), 'Changed', 'Mean confidence'],
    rows: chosen(looks).map((look) => [
      whenOf(looks, look),
      ...classes.map((each) => whole(look.perClass[each]!)),
      look === looks[0] && look.step === 0 ? undefined : whole(look.flips),
      percent(look.meanConfidence, 1),
    ]),
  });
}

export function reconstructionsSection({ reconstructions, data }: RunRecord): Html | undefined {
  if (!reconstructions) return undefined;
  const { images, noise } = reconstructions;
  const shown = data?.images.test === 0 ? 'training' : 'test';
  const row = (title: string, of: 'original' | 'noisy' | 'reconstructed'): Html => {
    const cells = images.map(
      (image, i) => html`<td>${picture(image[of], reconstructions, `${shown} image ${i}, ${of}`)}</td>`,
    );
    return html`<tr><th scope="row">${title}</th>${cells}</tr>`;
  };
  const caption = `The first ${shown} images after pre-training: as they are, with Gaussian noise (standard deviation ${noise}), and as reconstructed from that`;
  const rows = [row('Original', 'original'), row('Noisy', 'noisy'), row('Reconstructed', 'reconstructed')];
  return section('What the denoising autoencoder makes of images', [
    wide(caption, 'rows', html`<tbody>${rows}</tbody>`),
  ]);
}

/** Returns all options, and where the run was computed. */
export function configParts({ config, machine }: RunRecord): Html | undefined {
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const rowsOf = (values: object): string[][] => Object.entries(values).map(([name, value]) => [name, text(value)]);
  const { stages: _, ...options } = config;
  return folded('Config, versions, machine', [
    table({ caption: 'Config', columns: ['Option', 'Value'], isText: true, rows: rowsOf(options) }),
    machine &&
      table({ caption: 'Versions and machine', columns: ['What', 'Value'], isText: true, rows: rowsOf(machine) }),
  ]);
}
