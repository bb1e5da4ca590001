// The mistakes in a report: the classes that a model confuses, and the images that it gets wrong with the most
// confidence.
import { percent, shortened, whole } from '../format.js';
import { confusedPairs, MOST_MATRIX_CLASSES } from './confusion.js';
import { picture } from './image.js';
import { type Html, html, table, wide } from './page.js';
import type { RunRecord } from './record.js';

/** Returns the name of a class. Older versions did not write names. */
export const nameOf = ({ data }: RunRecord, each: number): string => data?.classNames[each] ?? String(each);

/** Returns the name for the head of a column, shortened. */
export const headOf = (run: RunRecord, each: number): string => shortened(nameOf(run, each), 16);

/** Returns the confusion matrix, and the images that were predicted wrong. */
export function mistakesParts(run: RunRecord): Html | undefined {
  const parts = [confusionPart(run), surestPart(run)];
  return parts.some((part) => part !== undefined) ? html`${parts}` : undefined;
}

function confusionPart(run: RunRecord): Html | undefined {
  const counts = run.result?.confusion;
  if (!counts) return undefined;
  if (counts.length > MOST_MATRIX_CLASSES) return pairsPart(run, counts);
  const rows = counts.map((row, label) => {
    const total = Math.max(
      1,
      row.reduce((sum, count) => sum + count, 0),
    );
    const cells = row.map((count, predicted) => heat(whole(count), count / total, predicted === label));
    const name = shortened(nameOf(run, label), 40);
    return html`<tr><th scope="row">${name}</th>${cells}<td>${((100 * row[label]!) / total).toFixed(1)}</td></tr>`;
  });
  return heatTable(
    'Test images: a row for each label, a column for each prediction',
    ['Label', ...counts.map((_, each) => headOf(run, each)), 'Right %'],
    rows,
  );
}

const MOST_PAIRS = 40;

/** Returns the most confused pairs. A matrix of a hundred classes has 10,000 cells, most of them 0. */
function pairsPart(run: RunRecord, counts: readonly (readonly number[])[]): Html {
  const rights = counts.map((row, label) => {
    const images = row.reduce((sum, count) => sum + count, 0);
    return { label, images, share: images > 0 ? row[label]! / images : undefined };
  });
  const worst = rights
    .filter(({ share }) => share !== undefined)
    .sort((a, b) => a.share! - b.share! || a.label - b.label);
  return html`${[
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
  ]}`;
}

export function heatTable(caption: string, columns: readonly (string | number)[], rows: readonly Html[]): Html {
  const heads = columns.map((column) => html`<th scope="col">${column}</th>`);
  return wide(caption, 'heat', html`<thead><tr>${heads}</tr></thead><tbody>${rows}</tbody>`);
}

export const heat = (text: string, share: number, isRight: boolean): Html =>
  html`<td class="${isRight ? 'right' : 'wrong'}" style="--share:${share.toFixed(3)}">${text}</td>`;

function surestPart(run: RunRecord): Html | undefined {
  const { mistakes } = run;
  if (!mistakes || mistakes.images.length === 0) return undefined;
  const items = mistakes.images.map(({ image, label, predicted, confidence, pixels }) => {
    const text = `is ${nameOf(run, label)}, taken for ${nameOf(run, predicted)} with ${percent(confidence, 1)}`;
    return html`<li>${picture(pixels, mistakes, `Test image ${image}, which ${text}`)}<span>${text} <span class="lead">(${image})</span></span></li>`;
  });
  return html`<h3>The surest mistakes</h3>
<p>Test images that the model gets wrong with the highest confidence, and their positions in the file.</p><ul class="digits">${items}</ul>`;
}
