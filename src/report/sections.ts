// Owns the parts of a page that are about one run.
import { duration, percent, whole } from '../format.js';
import { PUBLISHED, ROW_NAMES } from '../presets/scenario.js';
import { chartsOf } from './curves.js';
import { figure } from './figure.js';
import { type Html, html } from './html.js';
import { picture } from './image.js';
import { section, table } from './page.js';
import type { LabelsRecord, RunRecord } from './record.js';

const percentOf = (share: number | undefined): string | undefined => (share === undefined ? undefined : percent(share));

export function resultSection({ result, config }: RunRecord): Html | undefined {
  if (!result) return section('Result', [html`<p>The run has not ended yet.</p>`]);
  const { paper, report } = PUBLISHED[config.scenario];
  return section('Result', [
    table({
      caption: 'Accuracy on the test images',
      columns: ['Row', 'Paper', 'Report', 'This run'],
      rows: [
        [ROW_NAMES[config.scenario], `${paper.toFixed(2)} %`, `${report.toFixed(2)} %`, percentOf(result.testAccuracy)],
      ],
    }),
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
        ['Lost workers', result.lostWorkers],
        ['Weights (SHA-256)', html`<code>${result.weightsSha256}</code>`],
      ],
    }),
  ]);
}

export function curvesSection(run: RunRecord): Html | undefined {
  const { training } = chartsOf(run);
  if (training.length === 0) return undefined;
  return section('Training', [html`<div class="charts">${training.map(figure)}</div>`]);
}

export function qualitySection(run: RunRecord): Html | undefined {
  const { quality } = chartsOf(run);
  const looks = run.metrics.filter((metric) => metric.kind === 'labels');
  if (looks.length === 0) return undefined;
  return section('Quality of the pseudo-labels', [
    html`<p class="note"><strong>Only for judging:</strong> whether a pseudo-label is right is known here because this data set has labels
for all of its images. With images that really have none it would not be known. Training read none of these labels, and no
choice in the run depended on them; the labelled images are left out.</p>`,
    html`<div class="charts">${quality.map(figure)}</div>`,
    looks.some(({ truth }) => truth) ? rightTable(looks) : undefined,
    countsTable(looks),
  ]);
}

/** A run may have thousands of refreshes: so many of them, evenly chosen, with the first and the last. */
function chosen(looks: readonly LabelsRecord[], most = 12): LabelsRecord[] {
  if (looks.length <= most) return [...looks];
  return Array.from({ length: most }, (_, i) => looks[Math.round((i * (looks.length - 1)) / (most - 1))]!);
}

const stepOf = ({ step }: LabelsRecord): string => `Step ${whole(step)}`;

function rightTable(looks: readonly LabelsRecord[]): Html {
  const classes = looks[0]!.perClass.map((_, each) => each);
  const rows = chosen(looks).map((look) => {
    const cells = look.perClass.map((_, each) => {
      const images = look.truth?.images[each] ?? 0;
      return images === 0
        ? heat('–', 0, true)
        : heat(percent(look.truth!.right[each]! / images, 0), look.truth!.right[each]! / images, true);
    });
    return html`<tr><th scope="row">${stepOf(look)}</th>${cells}</tr>`;
  });
  return heatTable(
    'Share of each true class, 0 to the last, whose pseudo-labels are right',
    ['When', ...classes],
    rows,
  );
}

function countsTable(looks: readonly LabelsRecord[]): Html {
  return table({
    caption: 'Pseudo-labels of each class, and how many changed since the look before',
    columns: ['When', ...looks[0]!.perClass.map((_, each) => String(each)), 'Changed', 'Mean confidence'],
    rows: chosen(looks).map((look) => [
      stepOf(look),
      ...look.perClass.map(whole),
      look.step === 0 ? undefined : whole(look.flips),
      percent(look.meanConfidence, 1),
    ]),
  });
}

export function confusionSection({ result }: RunRecord): Html | undefined {
  const counts = result?.confusion;
  if (!counts) return undefined;
  const rows = counts.map((row, label) => {
    const total = Math.max(
      1,
      row.reduce((sum, count) => sum + count, 0),
    );
    const cells = row.map((count, predicted) => heat(whole(count), count / total, predicted === label));
    return html`<tr><th scope="row">${label}</th>${cells}<td>${percent(row[label]! / total, 1)}</td></tr>`;
  });
  return section('Confusion matrix', [
    heatTable(
      'Test images: a row for each label, a column for each prediction',
      ['Label', ...counts.keys(), 'Right'],
      rows,
    ),
  ]);
}

function heatTable(caption: string, columns: readonly (string | number)[], rows: readonly Html[]): Html {
  return html`<div class="scroll"><table class="heat"><caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

const heat = (text: string, share: number, isRight: boolean): Html =>
  html`<td class="${isRight ? 'right' : 'wrong'}" style="--share:${share.toFixed(3)}">${text}</td>`;

export function mistakesSection({ mistakes }: RunRecord): Html | undefined {
  if (!mistakes || mistakes.images.length === 0) return undefined;
  const items = mistakes.images.map(({ image, label, predicted, confidence, pixels }) => {
    const text = `is ${label}, taken for ${predicted} with ${percent(confidence, 1)}`;
    return html`<li>${picture(pixels, mistakes, `Test image ${image}, which ${text}`)}<span>${text} <span class="lead">(${image})</span></span></li>`;
  });
  return section('The surest mistakes', [
    html`<p>Test images that the model gets wrong with the highest confidence, and their positions in the file.</p>`,
    html`<ul class="digits">${items}</ul>`,
  ]);
}

export function reconstructionsSection({ reconstructions }: RunRecord): Html | undefined {
  if (!reconstructions) return undefined;
  const { images, noise } = reconstructions;
  const row = (title: string, of: 'original' | 'noisy' | 'reconstructed'): Html => {
    const cells = images.map(
      (image, i) => html`<td>${picture(image[of], reconstructions, `Test image ${i}, ${of}`)}</td>`,
    );
    return html`<tr><th scope="row">${title}</th>${cells}</tr>`;
  };
  return section('What the denoising autoencoder makes of digits', [
    html`<div class="scroll"><table class="rows"><caption>The first test images after pre-training: as they are, with Gaussian noise
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
