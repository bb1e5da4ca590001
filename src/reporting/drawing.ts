// Owns drawing by ECharts without a browser: SVG text in light colours, with a legend of our own.
import { BarChart, CustomChart, LineChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { escaped } from './html.js';
import { LIGHT } from './theme.js';

use([BarChart, CustomChart, LineChart, GridComponent, SVGRenderer]);

export const FONT = 'system-ui, sans-serif';
export const AXIS = {
  axisLine: { show: true, lineStyle: { color: LIGHT.faint } },
  axisTick: { lineStyle: { color: LIGHT.faint } },
  axisLabel: { color: LIGHT.faint, fontSize: 11, hideOverlap: true },
  nameTextStyle: { color: LIGHT.faint, fontSize: 11 },
  splitLine: { lineStyle: { color: LIGHT.line } },
};

/** What stands beside a name in the legend: an SVG element of 34 x 10 whose middle left is at (x, y). */
export interface LegendItem {
  readonly name: string;
  sample(x: number, y: number): string;
}

const WIDTH = 560;
const HEIGHT = 260;
const ROW = 20;
const COLUMNS = 3;

/** An SVG document. The option's grid is the function's. */
export function drawn(option: EChartsCoreOption, legend: readonly LegendItem[]): string {
  const above = ROW * Math.ceil(legend.length / COLUMNS);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT + above });
  try {
    const grid = { left: 56, right: 16, top: 12 + above, bottom: 40 };
    chart.setOption({ animation: false, textStyle: { fontFamily: FONT }, grid, ...option });
    return withLegend(cleaned(chart.renderToSVGString()), legend);
  } finally {
    chart.dispose(); // or its timer would keep the process alive
  }
}

/** For a file of its own: with a title for those who do not see it, on white paper wherever it is shown. */
export function standalone(svg: string, title: string): string {
  return svg
    .replace(/^<svg [^>]*>/, (tag) => `${tag}<title>${escaped(title)}</title>`)
    .replace(/(<rect [^>]*)fill="none"/, `$1fill="${LIGHT.paper}"`);
}

/** ECharts adds style for a pointer that rests on a line, under names that would be those of the whole page. */
function cleaned(svg: string): string {
  return svg
    .replace(/<style\s*>.*?<\/style>/gs, '')
    .replace(/ (?:class|ecmeta_\w+)="[^"]*"/g, '')
    .replaceAll(' pointer-events="visible"', '');
}

/** ECharts' own shows dashes too short to be told apart. */
function withLegend(svg: string, legend: readonly LegendItem[]): string {
  const items = legend.map(({ name, sample }, l) => {
    const x = 8 + (l % COLUMNS) * Math.floor(WIDTH / COLUMNS);
    const y = 14 + ROW * Math.floor(l / COLUMNS);
    const style = `font-size:12px;font-family:${FONT}`;
    return `${sample(x, y)}<text x="${x + 40}" y="${y + 4}" style="${style}" fill="${LIGHT.ink}">${shortened(name)}</text>`;
  });
  return svg.replace(/<\/svg>\s*$/, `${items.join('')}</svg>`);
}

const shortened = (name: string): string => escaped(name.length > 24 ? `${name.slice(0, 23)}…` : name);
