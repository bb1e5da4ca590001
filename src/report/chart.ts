// Owns charts: lines over steps, as SVG text, drawn by ECharts without a browser.
import { LineChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { escaped } from './html.js';
import { LIGHT, SERIES } from './theme.js';

use([LineChart, GridComponent, SVGRenderer]);

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  /** Also the name of its file among the plots. */
  readonly id: string;
  readonly title: string;
  readonly x: string;
  /** How values are written: as they are, or a share from 0 to 1 in per cent. */
  readonly unit: 'number' | 'share';
  readonly scale?: 'log';
  readonly lines: readonly Line[];
}

const WIDTH = 560;
const HEIGHT = 260;
const ROW = 20;
const DASHES = ['solid', [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [1, 3]] as const;
const FONT = 'system-ui, sans-serif';
/** More points than pixels only make a file longer. */
const MOST_POINTS = 200;

/** The chart as an SVG document in light colours. Names are escaped. */
export function svgOf(chart: Chart): string {
  const lines = chart.lines.filter(({ points }) => points.length > 0);
  const legendRows = Math.ceil(lines.length / 3);
  const drawn = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT + ROW * legendRows });
  try {
    drawn.setOption({
      animation: false,
      textStyle: { fontFamily: FONT },
      grid: { left: 56, right: 16, top: 12 + ROW * legendRows, bottom: 40 },
      xAxis: { type: 'value', name: chart.x, nameLocation: 'middle', nameGap: 26, max: 'dataMax', ...AXIS },
      yAxis: {
        type: chart.scale ?? 'value',
        ...AXIS,
        ...(chart.unit === 'share' ? { min: 0, max: 1 } : {}),
        axisLabel: { ...AXIS.axisLabel, formatter: (value: number) => written(value, chart.unit) },
      },
      series: lines.map(({ points }, l) => ({
        type: 'line' as const,
        data: thinned(points).map(([x, y]) => [x, y]),
        showSymbol: points.length <= 30,
        symbol: 'circle',
        symbolSize: 5,
        lineStyle: { width: 1.8, type: dashOf(l) as 'solid', color: colourOf(l) },
        itemStyle: { color: colourOf(l) },
      })),
    });
    return withLegend(cleaned(drawn.renderToSVGString()), lines);
  } finally {
    drawn.dispose(); // or its timer would keep the process alive
  }
}

const AXIS = {
  axisLine: { show: true, lineStyle: { color: LIGHT.faint } },
  axisTick: { lineStyle: { color: LIGHT.faint } },
  axisLabel: { color: LIGHT.faint, fontSize: 11, hideOverlap: true },
  nameTextStyle: { color: LIGHT.faint, fontSize: 11 },
  splitLine: { lineStyle: { color: LIGHT.line } },
};

const colourOf = (line: number): string => LIGHT[SERIES[line % SERIES.length]!];
const dashOf = (line: number): (typeof DASHES)[number] => DASHES[line % DASHES.length]!;

export function written(value: number, unit: Chart['unit']): string {
  if (unit === 'share') return `${Number((100 * value).toFixed(1))} %`;
  return Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

/** At most MOST_POINTS points: the means of equal runs of them. */
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

/** ECharts adds style for a pointer that rests on a line, under names that would be those of the whole page. */
function cleaned(svg: string): string {
  return svg
    .replace(/<style\s*>.*?<\/style>/gs, '')
    .replace(/ (?:class|ecmeta_\w+)="[^"]*"/g, '')
    .replaceAll(' pointer-events="visible"', '');
}

/** A legend whose samples show the dashes: ECharts' own shows them too short to be told apart. */
function withLegend(svg: string, lines: readonly Line[]): string {
  const items = lines.map(({ name }, l) => {
    const x = 8 + (l % 3) * Math.floor(WIDTH / 3);
    const y = 14 + ROW * Math.floor(l / 3);
    const dash = dashOf(l);
    const dashes = dash === 'solid' ? '' : ` stroke-dasharray="${dash.join(',')}"`;
    const sample = `<path d="M${x} ${y}h34" fill="none" stroke="${colourOf(l)}" stroke-width="2"${dashes}/>`;
    const style = `font-size:12px;font-family:${FONT}`;
    return `${sample}<text x="${x + 40}" y="${y + 4}" style="${style}" fill="${LIGHT.ink}">${shortened(name)}</text>`;
  });
  return svg.replace(/<\/svg>\s*$/, `${items.join('')}</svg>`);
}

const shortened = (name: string): string => escaped(name.length > 24 ? `${name.slice(0, 23)}…` : name);
