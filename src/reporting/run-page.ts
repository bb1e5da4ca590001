// The report page of one run, and its sections, which the page of a reproduction shows too.
import { duration, percent, shortened, whole } from '../format.js';
import { choiceText } from '../methods/class-balance-text.js';
import { rampLine } from '../training/alpha-ramp.js';
import { publishedFor, ROW_NAMES } from '../training/scenario.js';
import { figure } from './chart.js';
import { confusedPairs, MOST_MATRIX_CLASSES } from './confusion.js';
import { chartsOf } from './curves.js';
import { picture } from './image.js';
import { type Html, html, page, section, table } from './page.js';
import type { LabelsRecord, RunRecord } from './record.js';

/** A whole HTML document. */
export function runPage(run: RunRecord): string {
  const { config, result } = run;
  const lead = result
    ? `Run ${run.name}: preset ${result.preset}, seed ${result.seed}, split ${splitOf(result)}`
    : `Run ${run.name}`;
  return page(`${ROW_NAMES[config.scenario]}: report of a run`, lead, [
    resultSection(run),
    dataSection(run),
    curvesSection(run),
    qualitySection(run),
    confusionSection(run),
    mistakesSection(run),
    reconstructionsSection(run),
    configSection(run),
  ]);
}

const splitOf = ({ split, splitSeed }: { split: string; splitSeed: number }): string =>
  split === 'first' ? 'first' : `${split} ${splitSeed}`;

const percentOf = (share: number | undefined): string | undefined => (share === undefined ? undefined : percent(share));

function resultSection({ result, config, data }: RunRecord): Html | undefined {
  if (!result) return section('Result', [html`<p>The run has not ended yet.</p>`]);
  return section('Result', [
    result.testAccuracy === undefined ? undefined : accuracyTable(config, result.testAccuracy),
    table({
      caption: 'The run',
      columns: ['What', 'Value'],
      isText: true,
      rows: [
        ['Accuracy on validation images', percentOf(result.validationAccuracy)],
        ['Steps', whole(result.steps)],
        ['Time of training', duration(result.seconds)],
        [
          'of which',
          Object.entries(result.secondsByPhase)
            .map(([phase, seconds]) => `${phase} ${duration(seconds)}`)
            .join(', '),
        ],
        ['Speed', `${whole(result.imagesPerSecond)} images/s`],
        ['Workers, shards', `${result.workers}, ${result.shards}`],
        ...(result.ramp ? [['Pseudo-labels', rampLine(result.ramp)]] : []),
        ['Class shares of the pseudo-labels', result.classShares && choiceText(result.classShares, data?.classNames)],
        ['Lost workers', result.lostWorkers],
        ['Weights (SHA-256)', html`<code>${result.weightsSha256}</code>`],
      ],
    }),
  ]);
}

function accuracyTable(config: RunRecord['config'], accuracy: number): Html {
  const name = ROW_NAMES[config.scenario];
  const caption = 'Accuracy on the test images';
  const published = publishedFor(config.scenario, { data: config.data, labelsPerClass: config.labelsPerClass });
  if (!published) return table({ caption, columns: ['Row', 'This run'], rows: [[name, percent(accuracy)]] });
  const { paper, report } = published;
  return table({
    caption,
    columns: ['Row', 'Paper', 'Report', 'This run'],
    rows: [[name, `${paper.toFixed(2)} %`, `${report.toFixed(2)} %`, percent(accuracy)]],
  });
}

function dataSection({ data }: RunRecord): Html | undefined {
  if (!data) return undefined;
  const { name, classNames, images, sha256 } = data;
  const { train, known, labelled, validation, test } = images;
  return section('Data', [
    table({
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
    }),
  ]);
}

const MOST_NAMED = 100;
const listOf = (names: readonly string[]): string => {
  const more = names.length - MOST_NAMED;
  return `${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${whole(more)} more` : ''}`;
};

/** The name of a class. Older versions did not write names. */
const nameOf = ({ data }: RunRecord, each: number): string => data?.classNames[each] ?? String(each);

/** The same for the head of a column, which is no wider than it has to be. */
const headOf = (run: RunRecord, each: number): string => shortened(nameOf(run, each), 16);

function curvesSection(run: RunRecord): Html | undefined {
  const { training } = chartsOf(run);
  if (training.length === 0) return undefined;
  return section('Training', [html`<div class="charts">${training.map(figure)}</div>`]);
}

export function qualitySection(run: RunRecord): Html | undefined {
  const { quality } = chartsOf(run);
  const looks = run.metrics.filter((metric) => metric.kind === 'labels');
  if (looks.length === 0) return undefined;
  return section('Quality of the pseudo-labels', [
    looks.some(({ truth }) => truth) ? judgedNote(run) : undefined,
    html`<div class="charts">${quality.map(figure)}</div>`,
    looks.some(({ truth }) => truth) ? rightTable(run, looks) : undefined,
    countsTable(run, looks),
  ]);
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
 * At most so many, evenly chosen, with the first and the last: a run may refresh its pseudo-labels thousands of times.
 */
function chosen(looks: readonly LabelsRecord[], most = 12): LabelsRecord[] {
  if (looks.length <= most) return [...looks];
  return Array.from({ length: most }, (_, i) => looks[Math.round((i * (looks.length - 1)) / (most - 1))]!);
}

const stepOf = ({ step }: LabelsRecord): string => `Step ${whole(step)}`;

/** The classes that a table has columns for: all, or of many those that come first by `by`. */
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
    return html`<tr><th scope="row">${stepOf(look)}</th>${cells}</tr>`;
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
      stepOf(look),
      ...classes.map((each) => whole(look.perClass[each]!)),
      look.step === 0 ? undefined : whole(look.flips),
      percent(look.meanConfidence, 1),
    ]),
  });
}

export function confusionSection(run: RunRecord): Html | undefined {
  const counts = run.result?.confusion;
  if (!counts) return undefined;
  if (counts.length > MOST_MATRIX_CLASSES) return pairsSection(run, counts);
  const rows = counts.map((row, label) => {
    const total = Math.max(
      1,
      row.reduce((sum, count) => sum + count, 0),
    );
    const cells = row.map((count, predicted) => heat(whole(count), count / total, predicted === label));
    const name = shortened(nameOf(run, label), 40);
    return html`<tr><th scope="row">${name}</th>${cells}<td>${percent(row[label]! / total, 1)}</td></tr>`;
  });
  return section('Confusion matrix', [
    heatTable(
      'Test images: a row for each label, a column for each prediction',
      ['Label', ...counts.map((_, each) => headOf(run, each)), 'Right'],
      rows,
    ),
  ]);
}

const MOST_PAIRS = 40;

/** A matrix of a hundred classes has 10,000 cells, most of them 0. */
function pairsSection(run: RunRecord, counts: readonly (readonly number[])[]): Html | undefined {
  const rights = counts.map((row, label) => {
    const images = row.reduce((sum, count) => sum + count, 0);
    return { label, images, share: images > 0 ? row[label]! / images : undefined };
  });
  const worst = rights
    .filter(({ share }) => share !== undefined)
    .sort((a, b) => a.share! - b.share! || a.label - b.label);
  return section('Confusion', [
    table({
      caption: `The pairs of classes that are confused most, of ${whole(counts.length)} classes`,
      columns: ['Label', 'Taken for', 'Test images', 'Of the label'],
      rows: confusedPairs(counts, MOST_PAIRS).map(({ label, predicted, count, share }) => [
        nameOf(run, label),
        nameOf(run, predicted),
        whole(count),
        percent(share, 1),
      ]),
    }),
    table({
      caption: 'The classes that are recognised least',
      columns: ['Label', 'Test images', 'Right'],
      rows: worst
        .slice(0, MOST_PAIRS)
        .map(({ label, images, share }) => [nameOf(run, label), whole(images), percent(share!, 1)]),
    }),
  ]);
}

function heatTable(caption: string, columns: readonly (string | number)[], rows: readonly Html[]): Html {
  return html`<div class="scroll"><table class="heat"><caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

const heat = (text: string, share: number, isRight: boolean): Html =>
  html`<td class="${isRight ? 'right' : 'wrong'}" style="--share:${share.toFixed(3)}">${text}</td>`;

export function mistakesSection(run: RunRecord): Html | undefined {
  const { mistakes } = run;
  if (!mistakes || mistakes.images.length === 0) return undefined;
  const items = mistakes.images.map(({ image, label, predicted, confidence, pixels }) => {
    const text = `is ${nameOf(run, label)}, taken for ${nameOf(run, predicted)} with ${percent(confidence, 1)}`;
    return html`<li>${picture(pixels, mistakes, `Test image ${image}, which ${text}`)}<span>${text} <span class="lead">(${image})</span></span></li>`;
  });
  return section('The surest mistakes', [
    html`<p>Test images that the model gets wrong with the highest confidence, and their positions in the file.</p>`,
    html`<ul class="digits">${items}</ul>`,
  ]);
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
  return section('What the denoising autoencoder makes of images', [
    html`<div class="scroll"><table class="rows"><caption>The first ${shown} images after pre-training: as they are, with Gaussian noise
(standard deviation ${noise}), and as reconstructed from that</caption>
<tbody>${row('Original', 'original')}${row('Noisy', 'noisy')}${row('Reconstructed', 'reconstructed')}</tbody></table></div>`,
  ]);
}

export function configSection({ config, machine }: RunRecord): Html | undefined {
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const rowsOf = (values: object): string[][] => Object.entries(values).map(([name, value]) => [name, text(value)]);
  return section('Config, versions, machine', [
    table({ caption: 'Config', columns: ['Option', 'Value'], isText: true, rows: rowsOf(config) }),
    machine &&
      table({ caption: 'Versions and machine', columns: ['What', 'Value'], isText: true, rows: rowsOf(machine) }),
  ]);
}
