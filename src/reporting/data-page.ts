// Shows a data set: a page with its counts and samples of each class, and the samples alone as one picture.
import type { Dataset } from '../data/dataset.js';
import { type DataSummary, samplesOf } from '../data/summary.js';
import { whole } from '../format.js';
import { picture, pngOf, type Size } from './image.js';
import { type Html, html, page, section, table } from './page.js';

/** The most samples of a class, classes that are shown, and bytes of all samples together. */
const MOST_SAMPLES = 12;
const MOST_CLASSES = 100;
const MOST_BYTES = 2 ** 25;
/** The pixels between the images of a sheet, and their value. */
const GAP = 2;
const PAPER = 255;

interface Row {
  readonly title: string;
  readonly images: readonly number[];
}

const sizeOf = ({ height, width, channels }: Dataset): Size => ({ rows: height, columns: width, channels });

/** Returns a row of samples for each class, and one of images without a label. */
export function sampleRows(dataset: Dataset): Row[] {
  const { classNames, pixels } = dataset;
  const shown = Math.min(classNames.length, MOST_CLASSES);
  const most = Math.max(1, Math.min(MOST_SAMPLES, Math.floor(MOST_BYTES / (pixels * (shown + 1)))));
  const { classes, unlabelled } = samplesOf(dataset, most);
  return [
    ...classes.slice(0, shown).map((images, each) => ({ title: classNames[each]!, images })),
    { title: 'no label', images: unlabelled },
  ].filter(({ images }) => images.length > 0);
}

/** Returns a whole HTML document. lines: notes and problems. */
export function dataPage(summary: DataSummary, dataset: Dataset, lines: readonly string[]): string {
  const { name, train, test, height, width, channels, sha256 } = summary;
  const { duplicates, classes } = summary;
  const found = [
    ['Training images', whole(train.images)],
    ['of which have a label', whole(train.known)],
    ['of which have none', whole(train.unknown)],
    ['Test images', test ? whole(test.images) : 'none: no accuracy is measured'],
    ['Size', `${height} x ${width} pixels, ${channels === 1 ? 'grey' : `${channels} values a pixel`}`],
    ['Classes', whole(classes.length)],
    ['Training images that occur before', whole(duplicates.train)],
    ['Images and labels (SHA-256)', html`<code>${sha256}</code>`],
  ];
  return page(`Data: ${name}`, 'What was found, before anything is trained', [
    section('What was found', [
      table({ caption: 'The data set', columns: ['What', 'Value'], isText: true, rows: found }),
      lines.length > 0 ? html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>` : undefined,
    ]),
    section('Samples', [samplesTable(dataset)]),
    section('Classes', [
      table({
        caption: 'Images with each label',
        columns: ['Class', 'Training labels', 'Test images'],
        rows: classes.map((each) => [
          each.name,
          whole(each.labels),
          each.test === undefined ? undefined : whole(each.test),
        ]),
      }),
    ]),
  ]);
}

function samplesTable(dataset: Dataset): Html {
  const { train, classNames } = dataset;
  const rows = sampleRows(dataset).map(({ title, images }) => {
    const cells = images.map((image) => {
      const pixels = Buffer.from(train.images.at(image)).toString('base64');
      const id = train.ids?.[image] ?? `training image ${image}`;
      return html`<td>${picture(pixels, sizeOf(dataset), `${id}: ${title}`)}</td>`;
    });
    return html`<tr><th scope="row">${title}</th>${cells}</tr>`;
  });
  const more =
    classNames.length > MOST_CLASSES ? `; the first ${MOST_CLASSES} of ${whole(classNames.length)} classes` : '';
  return html`<div class="scroll"><table class="rows"><caption>Training images of each class, spread over all of them${more}</caption>
<tbody>${rows}</tbody></table></div>`;
}

/** Returns the same samples as a PNG: a line of images for each row. */
export function sampleSheet(dataset: Dataset): Uint8Array {
  const rows = sampleRows(dataset);
  const { height, width, channels, train } = dataset;
  const columns = Math.max(...rows.map(({ images }) => images.length));
  const size = {
    rows: rows.length * (height + GAP) + GAP,
    columns: columns * (width + GAP) + GAP,
    channels,
  };
  const sheet = new Uint8Array(size.rows * size.columns * channels).fill(PAPER);
  for (const [r, { images }] of rows.entries()) {
    for (const [c, image] of images.entries()) {
      const pixels = train.images.at(image);
      for (let y = 0; y < height; y++) {
        const line = pixels.subarray(y * width * channels, (y + 1) * width * channels);
        const [top, left] = [GAP + r * (height + GAP) + y, GAP + c * (width + GAP)];
        sheet.set(line, (top * size.columns + left) * channels);
      }
    }
  }
  return pngOf(sheet, size);
}
