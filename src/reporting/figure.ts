// A chart in a page: the drawing, a description for screen readers, and its numbers as a table.
import { shardRange } from '../data/shards.js';
import { whole } from '../format.js';
import { type Chart, type Line, svgOf, written } from './chart.js';
import { Html, html } from './page.js';
import { themed } from './theme.js';

const TABLE_ROWS = 12;

export function figure(chart: Chart): Html {
  return html`<figure><figcaption>${chart.title}</figcaption>${drawing(svgOf(chart), descriptionOf(chart))}${table(chart)}</figure>`;
}

/** An SVG document as a part of a page: in the page's colours, and with a text alternative. */
export function drawing(svg: string, description: string): Html {
  const label = html`<svg role="img" aria-label="${description}" `;
  return new Html(
    themed(svg)
      .replace(/^.*?<svg /s, label.text)
      .replace(/(<svg [^>]*?) width="\d+" height="(\d+)"/, '$1'),
  );
}

export function descriptionOf({ title, unit, x, lines }: Chart): string {
  const parts = lines.map(({ name, points }) => {
    const [first, last] = [points[0]!, points.at(-1)!];
    const from = `${name} goes from ${written(first[1], unit)} at ${x} ${written(first[0], 'number')}`;
    return `${from} to ${written(last[1], unit)} at ${x} ${written(last[0], 'number')}`;
  });
  return `Line chart. ${title}: ${parts.join('; ')}.`;
}

/** The means over equal parts of the x axis, whose values are whole numbers. */
function table({ title, unit, x, lines }: Chart): Html {
  const xs = lines.flatMap(({ points }) => [points[0]![0], points.at(-1)![0]]);
  const low = Math.min(...xs);
  const range = Math.max(...xs) - low + 1;
  const count = Math.min(TABLE_ROWS, range);
  const rows = Array.from({ length: count }, (_, row) => {
    const [from, to] = shardRange(range, count, row);
    const cells = lines.map(({ points }) => html`<td>${meanWithin(points, low + from, low + to, unit)}</td>`);
    return html`<tr><th scope="row">${rangeOf(low + from, low + to - 1)}</th>${cells}</tr>`;
  });
  return html`<details><summary>The numbers</summary><div class="scroll"><table><caption>${title}, means</caption>
<thead><tr><th scope="col">${x}</th>${lines.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div></details>`;
}

const rangeOf = (first: number, last: number): string =>
  first === last ? whole(first) : `${whole(first)} to ${whole(last)}`;

function meanWithin(points: Line['points'], from: number, end: number, unit: Chart['unit']): string {
  const within = points.filter(([x]) => x >= from && x < end);
  if (within.length === 0) return '–';
  return written(within.reduce((sum, [, y]) => sum + y, 0) / within.length, unit);
}
