// Draws charts: lines with error bars, and stacked bars. ECharts draws them as SVG text without a browser; they are
// also made into figures of a page.
import { BarChart, CustomChart, type CustomSeriesOption, LineChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { shardRange } from '../data/shards.js';
import { whole } from '../format.js';
import { escaped, Html, html } from './page.js';
import { darkened, LIGHT, type Role, SERIES, themed } from './theme.js';

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Error bars, if there are any. */
  readonly intervals?: readonly (readonly [x: number, low: number, high: number])[];
}

export interface Chart {
  /** An id, which is also the name of its file among the plots. */
  readonly id: string;
  readonly title: string;
  readonly x: string;
  /** How values are written: as numbers, or as a share in per cent, on an axis from 0 to at least 1. */
  readonly unit: 'number' | 'share';
  readonly scale?: 'log';
  /** The axis of shares begins near the lowest value instead of at 0. */
  readonly isZoomed?: true;
  readonly lines: readonly Line[];
}

const DASHES = ['solid', [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [1, 3]] as const;
/** The most points of a line. More would only make a file longer. */
const MOST_POINTS = 200;
/** Half the width of an error bar's ends, in pixels. */
const CAP = 4;

/** Draws the chart as an SVG document in light colours. Names are escaped. */
export function svgOf(chart: Chart): string {
  const lines = chart.lines.filter(({ points }) => points.length > 0);
  const option = {
    xAxis: {
      type: 'value',
      name: chart.x,
      nameLocation: 'middle',
      nameGap: 26,
      // This is the end of the points themselves, not of the means that are drawn.
      max: Math.max(...lines.map(({ points }) => points.at(-1)![0])),
      minInterval: 1,
      ...AXIS,
    },
    yAxis: {
      ...AXIS,
      ...rangeOf(chart, lines.flatMap(heights)),
      axisLabel: { ...AXIS.axisLabel, formatter: (value: number) => written(value, chart.unit) },
    },
    series: lines.flatMap((line, l) => [curve(line, l), ...(line.intervals ? [errorBars(line.intervals, l)] : [])]),
  };
  return drawn(
    option,
    lines.map(({ name }, l) => ({ name, sample: (x, y) => sample(l, x, y) })),
  );
}

/**
 * Returns the axis of the values. A logarithmic axis is labelled at powers of ten, so that values between two of them
 * get a linear axis.
 */
function rangeOf({ scale, unit, isZoomed }: Chart, values: readonly number[]): object {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (unit === 'share')
    return { type: 'value', min: isZoomed ? Math.max(0, Math.floor(10 * low - 1) / 10) : 0, max: Math.max(1, high) };
  return scale === 'log' && high >= 10 * low ? { type: 'log' } : { type: 'value', scale: scale === 'log' };
}

const heights = ({ points, intervals = [] }: Line): number[] => [
  ...points.map(([, y]) => y),
  ...intervals.map(([, , high]) => high),
];

function curve({ points }: Line, l: number): object {
  return {
    type: 'line',
    data: thinned(points).map(([x, y]) => [x, y]),
    showSymbol: points.length <= 30,
    symbol: 'circle',
    symbolSize: 5,
    lineStyle: { width: 1.8, type: dashOf(l), color: colourOf(l) },
    itemStyle: { color: colourOf(l) },
  };
}

function errorBars(intervals: NonNullable<Line['intervals']>, l: number): object {
  const renderItem: NonNullable<CustomSeriesOption['renderItem']> = (_, api) => {
    const [x = 0, low = 0] = api.coord([api.value(0), api.value(1)]);
    const [, high = 0] = api.coord([api.value(0), api.value(2)]);
    const style = { stroke: colourOf(l), lineWidth: 1.2 };
    const stroke = (x1: number, y1: number, x2: number, y2: number) =>
      ({ type: 'line', shape: { x1, y1, x2, y2 }, style }) as const;
    const ends = [low, high].map((y) => stroke(x - CAP, y, x + CAP, y));
    return { type: 'group', children: [stroke(x, low, x, high), ...ends] };
  };
  return { type: 'custom', renderItem, data: intervals.map((interval) => [...interval]), encode: { x: 0, y: [1, 2] } };
}

const colourOf = (line: number): string => LIGHT[SERIES[line % SERIES.length]!];
const dashOf = (line: number): (typeof DASHES)[number] => DASHES[line % DASHES.length]!;

function sample(l: number, x: number, y: number): string {
  const dash = dashOf(l);
  const dashes = dash === 'solid' ? '' : ` stroke-dasharray="${dash.join(',')}"`;
  return `<path d="M${x} ${y}h34" fill="none" stroke="${colourOf(l)}" stroke-width="2"${dashes}/>`;
}

export function written(value: number, unit: Chart['unit']): string {
  if (unit === 'share') return `${Number((100 * value).toFixed(1))} %`;
  return Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

/** Returns at most MOST_POINTS points: the means of runs of equal length. */
export function thinned(points: Line['points']): [number, number][] {
  const run = Math.ceil(points.length / MOST_POINTS);
  const means: [number, number][] = [];
  for (let first = 0; first < points.length; first += run) {
    const part = points.slice(first, first + run);
    const mean = (of: 0 | 1): number => part.reduce((sum, point) => sum + point[of], 0) / part.length;
    means.push([mean(0), mean(1)]);
  }
  return means;
}

/** Stacked bars, which show the parts of several wholes. */
export interface Stacks {
  /** An id, which is also the name of its file among the plots. */
  readonly id: string;
  readonly title: string;
  /** The meaning of the bars and of their heights. */
  readonly x: string;
  readonly y: string;
  readonly bars: readonly string[];
  /** The parts from the bottom up. values: one for each bar. */
  readonly parts: readonly { readonly name: string; readonly colour: Role; readonly values: readonly number[] }[];
}

/** Draws the bars as an SVG document in light colours. Names are escaped. */
export function svgOfStacks({ x, y, bars, parts }: Stacks): string {
  const option = {
    xAxis: { type: 'category', data: [...bars], name: x, nameLocation: 'middle', nameGap: 26, ...AXIS },
    yAxis: { type: 'value', name: y, nameLocation: 'middle', nameGap: 40, ...AXIS },
    series: parts.map(({ colour, values }) => ({
      type: 'bar',
      stack: 'whole',
      barMaxWidth: 90,
      data: [...values],
      itemStyle: { color: LIGHT[colour], borderColor: LIGHT.paper, borderWidth: 1 },
    })),
  };
  return drawn(
    option,
    parts.map(({ name, colour }) => ({
      name,
      sample: (left, middle) =>
        `<path d="M${left + 18} ${middle - 6}h12v12h-12z" fill="${LIGHT[colour]}" stroke="${LIGHT.faint}"/>`,
    })),
  );
}

use([BarChart, CustomChart, LineChart, GridComponent, SVGRenderer]);

export const FONT = 'system-ui, sans-serif';
export const AXIS = {
  axisLine: { show: true, lineStyle: { color: LIGHT.faint } },
  axisTick: { lineStyle: { color: LIGHT.faint } },
  axisLabel: { color: LIGHT.faint, fontSize: 11, hideOverlap: true },
  nameTextStyle: { color: LIGHT.faint, fontSize: 11 },
  splitLine: { lineStyle: { color: LIGHT.line } },
};

/** A name in the legend. Its sample is an SVG element of 34 x 10 whose left end is centred at (x, y). */
export interface LegendItem {
  readonly name: string;
  sample(x: number, y: number): string;
}

/** The width of a chart. It is small enough that letters can be read if a telephone scales it down. */
const WIDTH = 480;
const HEIGHT = 250;
const ROW = 20;
/** Returns the columns of the legend: few if a name is long. */
const columnsOf = (legend: readonly LegendItem[]): number =>
  legend.every(({ name }) => name.length <= SHORT_NAME) ? 3 : 2;
const SHORT_NAME = 17;

/** Draws the option as an SVG document. Its grid, if it has one, begins below the legend. */
export function drawn(option: EChartsCoreOption, legend: readonly LegendItem[], height = HEIGHT): string {
  const above = ROW * Math.ceil(legend.length / columnsOf(legend));
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: height + above });
  try {
    const { top = 12, ...grid } = (option.grid ?? { left: 56, right: 16, bottom: 40 }) as { readonly top?: number };
    const placed = { ...option, grid: { ...grid, top: top + above } };
    chart.setOption({ animation: false, textStyle: { fontFamily: FONT }, ...placed });
    return withLegend(cleaned(chart.renderToSVGString()), legend);
  } finally {
    chart.dispose(); // its timer would keep the process alive
  }
}

/** Returns the SVG for a file of its own: with a title for screen readers, and a background in its scheme. */
export function standalone(svg: string, title: string, scheme: 'light' | 'dark' = 'light'): string {
  const whole = svg
    .replace(/^<svg [^>]*>/, (tag) => `${tag}<title>${escaped(title)}</title>`)
    .replace(/(<rect [^>]*)fill="none"/, `$1fill="${LIGHT.paper}"`);
  return scheme === 'dark' ? darkened(whole) : whole;
}

/** Removes the hover style that ECharts adds, whose class names would apply to the whole page. */
function cleaned(svg: string): string {
  return svg
    .replace(/<style\s*>.*?<\/style>/gs, '')
    .replace(/ (?:class|ecmeta_\w+)="[^"]*"/g, '')
    .replaceAll(' pointer-events="visible"', '');
}

/** Adds our own legend, because the dashes in ECharts' own are too short to be told apart. */
function withLegend(svg: string, legend: readonly LegendItem[]): string {
  const columns = columnsOf(legend);
  const items = legend.map(({ name, sample }, l) => {
    const x = 8 + (l % columns) * Math.floor(WIDTH / columns);
    const y = 14 + ROW * Math.floor(l / columns);
    const style = `font-size:12px;font-family:${FONT}`;
    return `${sample(x, y)}<text x="${x + 40}" y="${y + 4}" style="${style}" fill="${LIGHT.ink}">${shortened(name)}</text>`;
  });
  return svg.replace(/<\/svg>\s*$/, `${items.join('')}</svg>`);
}

const shortened = (name: string): string => escaped(name.length > 30 ? `${name.slice(0, 29)}…` : name);

const TABLE_ROWS = 12;

/** Returns a chart for a page, with a description for screen readers and its numbers as a table. */
export const figure = (chart: Chart): Html => captioned(chart.title, [plot(chart), table(chart)]);

export const captioned = (title: string, parts: readonly Html[]): Html =>
  html`<figure><figcaption>${title}</figcaption>${parts}</figure>`;

/** Returns a chart for a page, without its numbers. */
export const plot = (chart: Chart): Html => drawing(svgOf(chart), descriptionOf(chart));

/** Returns an SVG document as a part of a page: in the page's colours, and with a text alternative. */
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

/** Returns a table of the means over equal parts of the x axis, whose values are whole numbers. */
function table({ title, unit, x, lines }: Chart): Html {
  const xs = lines.flatMap(({ points }) => [points[0]![0], points.at(-1)![0]]);
  const low = Math.min(...xs);
  const range = Math.max(...xs) - low + 1;
  const count = Math.min(TABLE_ROWS, range);
  const rows = Array.from({ length: count }, (_, row) => {
    const [from, to] = shardRange(range, count, row);
    const cells = lines.map(({ points }) => html`<td>${meanWithin(points, low + from, low + to, unit)}</td>`);
    return html`<tr><th scope="row">${stepsText(low + from, low + to - 1)}</th>${cells}</tr>`;
  });
  return html`<details><summary>The numbers</summary><div class="scroll"><table><caption>${title}, means</caption>
<thead><tr><th scope="col">${x}</th>${lines.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div></details>`;
}

const stepsText = (first: number, last: number): string =>
  first === last ? whole(first) : `${whole(first)} to ${whole(last)}`;

function meanWithin(points: Line['points'], from: number, end: number, unit: Chart['unit']): string {
  const within = points.filter(([x]) => x >= from && x < end);
  if (within.length === 0) return '–';
  return written(within.reduce((sum, [, y]) => sum + y, 0) / within.length, unit);
}
