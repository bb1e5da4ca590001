// Draws bar charts of accuracies: a group of bars for each row of a table, with their deviations as error bars.
import type { CustomSeriesOption } from 'echarts/charts';
import { AXIS, captioned, drawing, drawn, FONT } from './chart.js';
import type { Html } from './page.js';
import { LIGHT, type Role } from './theme.js';

/** Bars that are compared with each other. Values are in per cent, from 0 to 100. */
export interface Bars {
  /** An id, which is also the name of its file among the plots. */
  readonly id: string;
  readonly title: string;
  readonly groups: readonly string[];
  /** The series. Each has a bar in every group, or undefined if it has none there. */
  readonly series: readonly {
    readonly name: string;
    readonly colour: Role;
    readonly values: readonly (number | undefined)[];
    /** Half the length of the error bars. */
    readonly deviations?: readonly (number | undefined)[];
  }[];
}

const BAR = 15;
const BETWEEN_GROUPS = 12;
const AROUND = 34;
/** Half the height of an error bar's ends, in pixels. */
const CAP = 3.5;
const LETTER = 8.4;
const MOST_NAME = 170;
/** The letters of a name that fit in one line. */
const LINE = 18;
const GAPS = { barGap: '15%', barCategoryGap: `${BETWEEN_GROUPS}px` } as const;

/** Draws the bars as an SVG document in light colours, one below the other. Names are escaped. */
export function svgOfBars({ groups, series }: Bars): string {
  const shown = series.filter(({ values }) => values.some((value) => value !== undefined));
  const names = groups.map((name) => (shown.length > 1 ? inTwoLines(name) : name));
  const left =
    12 +
    Math.min(
      MOST_NAME,
      LETTER *
        Math.max(
          ...names
            .join('\n')
            .split('\n')
            .map((line) => line.length),
        ),
    );
  const option = {
    grid: { left, right: 52, top: 8, bottom: AROUND - 8 },
    xAxis: {
      type: 'value',
      min: 0,
      max: 100,
      ...AXIS,
      axisLabel: { ...AXIS.axisLabel, formatter: (value: number) => `${value} %` },
    },
    yAxis: {
      type: 'category',
      data: names,
      inverse: true,
      ...AXIS,
      axisLabel: { ...AXIS.axisLabel, color: LIGHT.ink, fontSize: 12, width: MOST_NAME, overflow: 'truncate' },
      axisTick: { show: false },
    },
    series: shown.flatMap(({ values, deviations, colour }, s) => [
      {
        type: 'bar',
        ...GAPS,
        data: values.map((value) => value ?? '-'),
        itemStyle: { color: LIGHT[colour] },
      },
      ends(values, deviations, s, shown.length),
    ]),
  };
  const height = AROUND + groups.length * (shown.length * BAR * 1.15 + BETWEEN_GROUPS);
  return drawn(
    option,
    (shown.length > 1 ? shown : []).map(({ name, colour }) => ({
      name,
      sample: (x, y) => `<path d="M${x + 16} ${y - 6}h14v12h-14z" fill="${LIGHT[colour]}"/>`,
    })),
    height,
  );
}

/** Splits a long name at the space nearest to its middle. */
function inTwoLines(name: string): string {
  if (name.length <= LINE) return name;
  const spaces = [...name.matchAll(/ /g)].map(({ index }) => index);
  const middle = spaces.sort((a, b) => Math.abs(a - name.length / 2) - Math.abs(b - name.length / 2))[0];
  return middle === undefined ? name : `${name.slice(0, middle)}\n${name.slice(middle + 1)}`;
}

/** Draws the ends of the bars of one series: the error bar, and the number. */
function ends(
  values: readonly (number | undefined)[],
  deviations: readonly (number | undefined)[] | undefined,
  s: number,
  count: number,
): object {
  const renderItem: NonNullable<CustomSeriesOption['renderItem']> = (_, api) => {
    const [group, value] = [Number(api.value(1)), Number(api.value(0))];
    const deviation = deviations?.[group] ?? 0;
    const bars = api.barLayout({ ...GAPS, count } as unknown as Parameters<typeof api.barLayout>[0]);
    const offset = bars?.[s]?.offsetCenter ?? 0;
    const at = (x: number): [number, number] => {
      const [left = 0, middle = 0] = api.coord([x, group]);
      return [left, middle + offset];
    };
    const [low, y] = at(Math.max(0, value - deviation));
    const [high] = at(Math.min(100, value + deviation));
    const style = { stroke: LIGHT.ink, lineWidth: 1.2 };
    const line = (x1: number, y1: number, x2: number, y2: number) =>
      ({ type: 'line', shape: { x1, y1, x2, y2 }, style }) as const;
    const text = {
      x: high + 6,
      y,
      text: value.toFixed(1),
      fill: LIGHT.ink,
      fontSize: 11,
      fontFamily: FONT,
      verticalAlign: 'middle',
    } as const;
    const whiskers = [line(low, y, high, y), ...[low, high].map((x) => line(x, y - CAP, x, y + CAP))];
    return { type: 'group', children: [...(deviation > 0 ? whiskers : []), { type: 'text', style: text }] };
  };
  const data = values.flatMap((value, group) => (value === undefined ? [] : [[value, group]]));
  return { type: 'custom', renderItem, data, encode: { x: 0, y: 1 } };
}

/** Returns the chart for a page, with its numbers in words for screen readers. The table below it has them as well. */
export const barsFigure = (bars: Bars): Html => captioned(bars.title, [drawing(svgOfBars(bars), inWords(bars))]);

function inWords({ title, groups, series }: Bars): string {
  const parts = groups.map((group, g) => {
    const each = series.flatMap(({ name, values, deviations }) => {
      const [value, deviation] = [values[g], deviations?.[g]];
      if (value === undefined) return [];
      return [`${name} ${value.toFixed(2)} %${deviation === undefined ? '' : ` ± ${deviation.toFixed(2)}`}`];
    });
    return `${group}: ${each.join(', ')}`;
  });
  return `Bar chart. ${title}. ${parts.join('; ')}.`;
}
